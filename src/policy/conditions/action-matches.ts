import { compileActionPattern } from '../action-pattern.ts';

/** Which action is asked about. */
export interface AskedAction {
  /** In lower case. */
  readonly action: string;
  /** Whoever asks about many may number them: with the same object the same number, from 0, always stands for the same action. */
  readonly actionNumber?: number;
}

/** Patterns of which the answers are remembered: conditions share a few. The others' are found each time. */
const mostRemembered = 256;
/** Numbers of which an answer is remembered: more than a catalogue has, and a byte each. */
const mostNumbers = 32_768;
const matchers = new Map<string, (asked: AskedAction) => boolean>();

/** Whether an action is one of those that a pattern stands for. */
export function actionMatcher(text: string): (asked: AskedAction) => boolean {
  const known = matchers.get(text);
  if (known !== undefined) return known;
  const pattern = compileActionPattern(text);
  const matches = ({ action }: AskedAction): boolean => pattern.matches(action);
  if (matchers.size >= mostRemembered) return matches;
  const matcher = remembering(matches);
  matchers.set(text, matcher);
  return matcher;
}

const yes = 1;
const no = 2;

/** By the numbers of the one who has asked last. */
function remembering(matches: (asked: AskedAction) => boolean): (asked: AskedAction) => boolean {
  const answers = new Uint8Array(mostNumbers);
  let of: AskedAction | null = null;
  return (asked) => {
    const { actionNumber = -1 } = asked;
    // A number that is none, or too large, is not there and is not kept: then the pattern is asked.
    if (asked !== of && actionNumber >= 0) {
      answers.fill(0);
      of = asked;
    }
    const known = answers[actionNumber];
    if (known === yes || known === no) return known === yes;
    const found = matches(asked);
    answers[actionNumber] = found ? yes : no;
    return found;
  };
}
