import { nearestKey } from '../../config/nearest-key.ts';
import { assetAction, assetVersionAction, azuremlActions } from '../../gateway/adapters/azureml/actions.ts';

const containers = 'Microsoft.Storage/storageAccounts/blobServices/containers';
const blobs = `${containers}/blobs`;
const authorization = 'Microsoft.Authorization';

const verbs = ['read', 'write', 'delete'] as const;
const collections = ['codes', 'data', 'environments', 'models'];
const ownThings = ['users', 'groups', 'applications', 'managedIdentities', 'federatedCredentials'];

const actions: readonly string[] = [
  ...Object.values(azuremlActions),
  ...collections.flatMap((name) =>
    verbs.flatMap((verb) => [assetAction(name, verb), assetVersionAction(name, verb)]),
  ),
  ...verbs.map((verb) => `${containers}/${verb}`),
  ...verbs.flatMap((verb) => [
    `${authorization}/roleAssignments/${verb}`,
    `${authorization}/roleDefinitions/${verb}`,
  ]),
  `${authorization}/denyAssignments/read`,
  `${authorization}/denyAssignments/write`,
  ...ownThings.flatMap((thing) => verbs.map((verb) => `Lockstep.Access/${thing}/${verb}`)),
  'Lockstep.Access/users/signInLink/action',
  'Lockstep.Access/users/password/action',
  'Lockstep.Access/sessions/read',
  'Lockstep.Access/sessions/cut/action',
  'Lockstep.Access/decisions/read',
  'Lockstep.Access/decisions/check/action',
  'Lockstep.Access/events/read',
  'Lockstep.Access/connections/read',
];

const dataActions: readonly string[] = [
  ...verbs.map((verb) => `${blobs}/${verb}`),
  `${blobs}/add/action`,
  `${blobs}/move/action`,
];

const known = new Map<string, { readonly name: string; readonly dataAction: boolean }>([
  ...actions.map((name) => [name.toLowerCase(), { name, dataAction: false }] as const),
  ...dataActions.map((name) => [name.toLowerCase(), { name, dataAction: true }] as const),
]);

/** An operation that Lockstep's own surfaces ask for; undefined for those of connections and of services elsewhere. */
export function knownOperation(
  action: string,
): { readonly name: string; readonly dataAction: boolean } | undefined {
  return known.get(action.toLowerCase());
}

/** The known operation that somebody may have meant. */
export function nearestOperation(action: string): string | null {
  return nearestKey(action, [...actions, ...dataActions]);
}

/** Azure's form: a namespace, at least one type, a verb. No wildcards: a question is about one operation. */
export function isOperationName(action: string): boolean {
  return action.length <= 512 && /^[A-Za-z0-9]+(?:\.[A-Za-z0-9]+)*(?:\/[A-Za-z0-9_.$-]+){2,}$/.test(action);
}
