import { LockstepError } from '../../../lib/errors.ts';
import type { Answered } from '../jupyter/server-questions.ts';

/**
 * What is asked of a server that does not run, the hub's proxy hands to the hub. That sends whoever looks there to a page
 * of its own, and takes any other request for a form that it has not made. Programs, and the scripts of a page, are told
 * what is the matter, with a status that JupyterLab understands. Throws `upstream_unavailable`.
 */
export function mustRun({ status, headers }: Answered, id: string): void {
  const location = headers['location'];
  const policies = [headers['content-security-policy'] ?? []].flat().join();
  const leadsToHub = typeof location === 'string' && /^(?:https?:\/\/[^/]+)?\/hub\//.test(location);
  const isHubs = /report-uri \/hub\//.test(policies);
  if (!(status >= 300 && status < 400 && leadsToHub) && !(status >= 400 && isHubs)) return;
  throw new LockstepError({
    code: 'upstream_unavailable',
    publicMessage: `This server does not run. Start it at /hub/spawn/${id}.`,
    internalMessage: 'the hub answered in place of a server that does not run',
  });
}
