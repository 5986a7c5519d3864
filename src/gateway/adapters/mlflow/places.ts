import { failure } from '../../../lib/errors.ts';
import { caseSensitiveSegment } from '../../../policy/scope.ts';
import type { Access } from '../../../policy/types.ts';

/** What MLflow keeps, as far as rights tell it apart. */
export type MlflowPlace =
  | { readonly kind: 'connection' }
  /** All that lies beneath the connection. */
  | { readonly kind: 'everything' }
  | { readonly kind: 'experiment'; readonly id: string }
  | { readonly kind: 'model'; readonly name: string };

/** What is of no experiment and no model, and what MLflow does not know. */
export const wholeConnection: MlflowPlace = { kind: 'connection' };
/** Any experiment and any model: nothing of them may be denied. */
export const everything: MlflowPlace = { kind: 'everything' };

/** The access to a place beneath the connection's scope. */
export function accessToPlace(action: string, connectionScope: string, place: MlflowPlace): Access {
  const scope = scopeOfPlace(connectionScope, place);
  return { action, dataAction: false, scope, ...(place.kind === 'everything' ? { subtree: true } : {}) };
}

/**
 * The scope of a place beneath the connection's. Names of models are compared with case (a database that compares them
 * without, as MySQL may, has two names here for one model there).
 */
export function scopeOfPlace(connectionScope: string, place: MlflowPlace): string {
  const root = connectionScope === '/' ? '' : connectionScope;
  switch (place.kind) {
    case 'connection':
    case 'everything':
      return connectionScope;
    case 'experiment':
      return `${root}/experiments/${place.id}`;
    case 'model':
      return `${root}/models/${caseSensitiveSegment(place.name)}`;
  }
}

/**
 * Throws `invalid_request` for what is not the one spelling of an experiment's id: to databases `05`, `+5` and `5` are
 * one number, and must not be three scopes.
 */
export function experimentPlace(id: string): MlflowPlace {
  if (!/^(?:0|[1-9]\d{0,18})$/.test(id)) {
    throw failure('invalid_request', `\`${id.slice(0, 40)}\` is not the id of an experiment.`);
  }
  return { kind: 'experiment', id };
}

/** Throws `invalid_request` for a name that MLflow would not take. */
export function modelPlace(name: string): MlflowPlace {
  if (name.length > 256 || /[/:]/.test(name) || name !== name.trim()) {
    throw failure('invalid_request', `\`${name.slice(0, 40)}\` is not the name of a registered model.`);
  }
  return { kind: 'model', name };
}
