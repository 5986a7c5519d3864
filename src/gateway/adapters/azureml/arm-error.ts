/** One error of Azure Resource Manager. github.com/Azure/azure-resource-manager-rpc, common API details */
export interface ArmError {
  readonly code: string;
  readonly message: string;
  readonly target?: string;
  readonly additionalInfo?: readonly {
    readonly type: string;
    readonly info: Readonly<Record<string, unknown>>;
  }[];
}

/**
 * The body that Azure's clients take apart: `error.code` and `error.message`, with what else there is beside them.
 * `beside` stands next to `error`, for services that are asked for more.
 */
export function armErrorBody(error: ArmError, beside: object = {}): string {
  return JSON.stringify({ ...beside, error });
}

/** The sentence of a refused authorization, word for word: tools look for it. */
export function authorizationFailedMessage(refused: {
  readonly clientName: string;
  readonly objectId: string;
  readonly action: string;
  readonly scope: string;
}): string {
  return (
    `The client '${refused.clientName}' with object id '${refused.objectId}' does not have authorization to perform ` +
    `action '${refused.action}' over scope '${refused.scope}' or the scope is invalid. ` +
    `If access was recently granted, please refresh your credentials.`
  );
}
