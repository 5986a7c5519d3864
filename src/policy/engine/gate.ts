import { compileCondition, type CompiledCondition } from '../conditions/compile.ts';

/** A condition that decides whether something applies; null where its text could not be understood. */
export interface Gate {
  readonly text: string;
  readonly condition: CompiledCondition | null;
}

const remembered = 1_024;
const gates = new Map<string, Gate>();

/** The same text is compiled once. Null for no condition. */
export function gateOf(text: string | null | undefined): Gate | null {
  if (text === null || text === undefined || text.trim() === '') return null;
  let gate = gates.get(text);
  if (!gate) {
    const compiled = compileCondition(text);
    gate = { text, condition: compiled.kind === 'ok' ? compiled.condition : null };
    if (gates.size >= remembered) gates.clear();
    gates.set(text, gate);
  }
  return gate;
}
