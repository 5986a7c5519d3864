import type { Described } from '../../types.ts';
import { jupyterActions as actions } from './actions.ts';
import { accessTo, describeRequest, type JupyterRequest } from './request.ts';
import { pathOfText, scopeOfPath } from './server-path.ts';

/** Where everybody tells what they have open. */
const everybody = 'JupyterLab:globalAwareness';

/**
 * A room of jupyter-collaboration's, `{format}:{type}:{id of the document}`: whoever is in one can write, so it is for
 * those who may write the document. Any other room (forks, whatever is unknown) is the whole connection's.
 */
export function describeRoom(request: JupyterRequest): Described {
  const { scope, path: address, questions, route } = request;
  const room = address.slice(address.lastIndexOf('/') + 1);
  if (room === everybody) return describeRequest(request, { scope, action: actions.use });
  const [, document] = /^[a-z0-9]+:[\w.-]+:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(room) ?? [];
  if (document === undefined) return describeRequest(request, { scope });
  return describeRequest(request, {
    scope,
    locate: async (_, signal, { subject }) => {
      const path = await questions.pathOfDocument(document, { signal, caller: subject.id });
      return accessTo(route.action, path === null ? scope : scopeOfPath(scope, pathOfText(path)));
    },
  });
}
