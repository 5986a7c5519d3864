/** Where an event holds what its caller says that it belongs to. */
export const correlationPlace = '/unmapped/lockstep/correlationId';

const crockford = '[0-9a-hjkmnp-tv-z]';

/** Forms in which machines make ids, and in which nobody's name, address or number is written. */
const forms: readonly RegExp[] = [
  /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  // Ids of traces and spans (W3C Trace Context §3.2.2); digits alone may be the number of somebody's card.
  /^(?=.*[0-9])(?=.*[a-f])(?:[0-9a-f]{16}|[0-9a-f]{32})$/,
  /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/,
  // A ULID (github.com/ulid/spec), and those of ours.
  new RegExp(`^[0-7]${crockford}{25}$`, 'i'),
  new RegExp(`^(?:evt|req|dec|ses|lea|acr)_${crockford}{26}$`),
];

/** Whether a text that somebody chose can be nothing but an id: everything else may tell of a person. */
export function isOpaqueId(text: string): boolean {
  return forms.some((form) => form.test(text));
}
