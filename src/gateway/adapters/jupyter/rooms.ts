import type { Described, Exchange, Reply } from '../../types.ts';
import { jupyterActions as actions } from './actions.ts';
import { accessTo, describeRequest, type JupyterRequest } from './request.ts';
import { readsOnly } from './room-messages.ts';
import { pathOfText, scopeOfPath } from './server-path.ts';

/** Where everybody tells what they have open. */
const everybody = 'JupyterLab:globalAwareness';

/**
 * A room of jupyter-collaboration's, `{format}:{type}:{id of the document}`: for those who may read the document; what they
 * send into it is let through for as long as they may write it. Any other room (forks, whatever is unknown) is the whole
 * connection's.
 */
export function describeRoom(request: JupyterRequest): Described {
  const { scope, path: address, questions, route } = request;
  const room = address.slice(address.lastIndexOf('/') + 1);
  if (room === everybody) return describeRequest(request, { scope, action: actions.use });
  const [, document] = /^[a-z0-9]+:[\w.-]+:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(room) ?? [];
  if (document === undefined) return describeRequest(request, { scope, action: unknownRoom(request) });
  return describeRequest(request, {
    scope,
    locate: async (_, signal, { subject }) => {
      const path = await questions.pathOfDocument(document, { signal, caller: subject.id });
      return accessTo(route.action, path === null ? scope : scopeOfPath(scope, pathOfText(path)));
    },
    ...(request.head.upgrade !== null && { serve: (exchange) => enter(request, exchange) }),
  });
}

/** Nobody can tell who may write there: whoever enters one can. */
function unknownRoom({ head, route }: JupyterRequest): string {
  return head.upgrade === null ? route.action : actions.writeFiles;
}

async function enter(request: JupyterRequest, exchange: Exchange): Promise<Reply> {
  const reply = async (mayWrite: boolean): Promise<Reply> => {
    const opened = await request.forward(exchange);
    return mayWrite ? opened : { ...opened, admit: readsOnly };
  };
  const writing = accessTo(actions.writeFiles, exchange.decision.access.scope);
  // Looked at first: to read is no attempt to write, and is not recorded as a denied one.
  const [looked] = await exchange.decideEach([writing]);
  if (looked?.allowed !== true) return reply(false);
  return reply((await exchange.decideAlso(writing)).allowed);
}
