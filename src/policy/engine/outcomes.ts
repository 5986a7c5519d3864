/** Outcomes of a decision other than the slot of the role assignment that allows. */
export const missingGrant = -1;
export const unknownPrincipal = -2;
export const disabledPrincipal = -3;
export const notAScope = -4;
/** Outcomes at or below it name the slot of the deny assignment: `deniedBase - slot`. */
export const deniedBase = -16;
