import { failure } from '../../../lib/errors.ts';
import { everything, experimentPlace, wholeConnection, type MlflowPlace } from './places.ts';

/**
 * Where an artifact of the server's own store belongs, by its path: `{experiment}/{run}/artifacts/…`,
 * `{experiment}/models/{id}/artifacts/…` or `{experiment}/traces/{id}/artifacts/…`, as MLflow lays them out. Any other
 * path belongs to no experiment. What is written must lie in a folder `artifacts`: a server whose records of runs are
 * files may keep them in the same tree, and a run's owner is one of them. Throws `invalid_request`.
 */
export function artifactPlace(path: string, use: 'read' | 'write'): MlflowPlace {
  checkRelativePath(path);
  const [first = '', ...rest] = path.split('/');
  if (use === 'write' && !/^(?:[^/]+\/)+artifacts(?:\/|$)/.test(path)) {
    throw failure('invalid_request', 'Artifacts are written beneath `{experiment}/{run}/artifacts/` only.');
  }
  if (path === '') return everything;
  if (!/^\d+$/.test(first)) return wholeConnection;
  const inside = /^(?:(?:models|traces)\/[\w-]+|[\w-]+)\/artifacts(?:\/|$)/.test(rest.join('/'));
  if (use === 'write' && !inside) {
    throw failure('invalid_request', 'Artifacts are written beneath `{experiment}/{run}/artifacts/` only.');
  }
  return experimentPlace(first);
}

/**
 * Refuses what leads out of where it begins, in any spelling: MLflow decodes paths until nothing is left to decode, so
 * one that still is encoded after the first time is not decided on as it would be read. Throws `invalid_request`.
 */
export function checkRelativePath(path: string): void {
  if (/%[0-9a-f]{2}/i.test(path)) throw unsafe('is encoded twice');
  if (path.includes('\\')) throw unsafe('holds a backslash');
  if (path.startsWith('/') || path.includes('//')) throw unsafe('holds an empty segment');
  if (/^[a-z]:/i.test(path)) throw unsafe('begins with the name of a drive');
  if (path.split('/').some((segment) => segment === '.' || segment === '..')) {
    throw unsafe('holds a `.` or `..` segment');
  }
}

/** Whether an address lies beneath another: by its text, and with nothing in it that could mean another place. */
export function isBeneath(address: string, root: string | null): boolean {
  if (root === null || root === '' || !address.startsWith(root.endsWith('/') ? root : `${root}/`)) {
    return root !== null && root !== '' && address === root;
  }
  const rest = address.slice(root.length).replace(/^\//, '').replace(/\/$/, '');
  return !/[%\\?#]/.test(rest) && !rest.split('/').some((segment) => ['', '.', '..'].includes(segment));
}

function unsafe(what: string) {
  return failure('invalid_request', `The path of the artifact ${what}.`);
}
