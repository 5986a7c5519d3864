import { workspaceId, type WorkspaceRef } from '../workspace/resource-ids.ts';

/** The scope of a connection in full: `workspace` in its place is this server's own. */
export function connectionScope(configured: string, workspace: WorkspaceRef): string {
  return configured.replace(/^workspace(?=\/|$)/, () => workspaceId(workspace));
}
