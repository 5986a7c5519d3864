import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const cell = { cell_type: 'raw', id: 'first', metadata: {}, source: 'as it was' };
const notebook = JSON.stringify({ cells: [cell], metadata: {}, nbformat: 4, nbformat_minor: 5 });

/** What a server's tree is at first: two teams, and a link from one to the other. */
export function plantTree(work: string): void {
  for (const team of ['team-a', 'team-b']) {
    mkdirSync(join(work, team), { recursive: true });
    writeFileSync(join(work, team, 'notes.ipynb'), notebook);
    writeFileSync(join(work, team, '.hidden'), team);
  }
  symlinkSync(join('..', 'team-b'), join(work, 'team-a', 'link'));
}
