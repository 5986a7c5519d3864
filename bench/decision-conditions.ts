import { handlesOf, settle } from './decision-interfaces.ts';
import { ownEngine, room, type OwnEngine } from './decision-own.ts';
import { parsed, questionAt, uniformStream, type Question, type Stream } from './decision-streams.ts';
import type { Workload } from './decision-workload.ts';
import { coreSeconds, inTurns, ratiosOf, repeated, type Repeated } from './measure.ts';
import { decide } from '../src/policy/decide.ts';
import type { Access, AccessAttributes } from '../src/policy/types.ts';

/** Nanoseconds of core time for each decision: the same ones, by the same policies, without and with a condition. */
export interface ConditionFigures {
  readonly questions: number;
  readonly plainIntegers: Repeated;
  readonly gatedIntegers: Repeated;
  readonly plainStrings: Repeated;
  readonly gatedStrings: Repeated;
  /** How many times as long with the condition, round by round. */
  readonly integersRatio: Repeated;
  readonly stringsRatio: Repeated;
}

/** Every third role assignment carries it. It is true for what is asked, by its second half. */
const everyThird = 3;
const condition = `(
 (!(ActionMatches{'Contoso.*'}))
 OR
 (
  @Resource[Contoso.Namespace/kinds:project] StringEquals 'apollo'
  AND @Request[Contoso.Namespace/kinds:gpus] NumericLessThanEquals 8
  AND @Request[Contoso.Namespace/kinds:path] StringStartsWith 'data/'
 )
)`;
const attributes: AccessAttributes = {
  resource: { 'contoso.namespace/kinds:project': 'apollo' },
  request: { 'contoso.namespace/kinds:gpus': 4, 'contoso.namespace/kinds:path': 'data/train/part-1' },
};

const turns = { rounds: 9, warmUps: 1 };
/** The same questions are asked in each round, and no outcome is to be remembered. */
const forgetful = { ...room, cachedDecisions: 1 };

/** Throws unless both engines name the same policy for each question, and the condition can also be false. */
export function measureConditions(workload: Workload): ConditionFigures {
  const plain = ownEngine(workload.rows, forgetful);
  const roleAssignments = workload.rows.roleAssignments.map((row, i) =>
    i % everyThird === 0 ? { ...row, condition } : row,
  );
  const gated = ownEngine({ ...workload.rows, roleAssignments }, forgetful);
  const gatedIds = new Set(
    workload.rows.roleAssignments.filter((_, i) => i % everyThird === 0).map(({ id }) => id),
  );
  for (const engine of [plain, gated]) settle(workload, engine);
  const asked = uniformStream(workload, 600_000);
  const questions: Question[] = [];
  const at: number[] = [];
  for (let i = 0; i < asked.length; i++) {
    const { principal, access } = questionAt(workload, asked, i);
    const { allowed, cause } = decide(plain.snapshot, principal, access);
    if (!allowed || !('id' in cause) || !gatedIds.has(cause.id)) continue;
    const question = { principal, access: { ...access, attributes } };
    const same = decide(gated.snapshot, principal, question.access);
    if (!same.allowed || !('id' in same.cause) || same.cause.id !== cause.id) {
      throw new Error('the condition changes a decision that it should not');
    }
    at.push(i);
    questions.push(question);
  }
  const missing = questions.slice(0, 1_000).filter(({ principal, access }) => {
    const { cause } = decide(gated.snapshot, principal, { ...access, attributes: {} });
    return 'id' in cause && gatedIds.has(cause.id);
  });
  if (missing.length > 0) throw new Error('the condition is not evaluated');
  return {
    questions: questions.length,
    ...alternately(workload, pick(asked, at), questions, plain, gated),
  };
}

function alternately(
  workload: Workload,
  stream: Stream,
  questions: readonly Question[],
  plain: OwnEngine,
  gated: OwnEngine,
): Omit<ConditionFigures, 'questions'> {
  const byText = inTurns(
    {
      plain: () => byStrings(plain, questions.map(justParsed)),
      gated: () => byStrings(gated, questions.map(justParsed)),
    },
    turns,
  );
  const { access } = questions[0]!;
  const plainHandles = handlesOf(workload, plain)(stream);
  const gatedHandles = handlesOf(workload, gated)(stream);
  const byNumber = inTurns(
    {
      plain: () => byIntegers(plain, plainHandles, access),
      gated: () => byIntegers(gated, gatedHandles, access),
    },
    turns,
  );
  return {
    plainIntegers: repeated(byNumber.plain),
    gatedIntegers: repeated(byNumber.gated),
    plainStrings: repeated(byText.plain),
    gatedStrings: repeated(byText.gated),
    integersRatio: ratiosOf(byNumber.gated, byNumber.plain),
    stringsRatio: ratiosOf(byText.gated, byText.plain),
  };
}

function justParsed(question: Question): Question {
  const { principal, access } = parsed(question);
  return { principal, access: { ...access, attributes } };
}

/** The attributes are the same for all: the access is at hand, as it is while a request is served. */
function byIntegers(engine: OwnEngine, { users, actions, scopes, length }: Stream, access: Access): number {
  return perCall(length, (i) => engine.decideHandles(users[i]!, actions[i]!, scopes[i]!, access));
}

function byStrings(engine: OwnEngine, questions: readonly Question[]): number {
  return perCall(questions.length, (i) => {
    const { principal, access } = questions[i]!;
    return decide(engine.snapshot, principal, access);
  });
}

function perCall(count: number, call: (i: number) => unknown): number {
  const start = coreSeconds();
  for (let i = 0; i < count; i++) call(i);
  return ((coreSeconds() - start) * 1e9) / count;
}

function pick({ users, actions, scopes }: Stream, at: readonly number[]): Stream {
  return {
    length: at.length,
    users: Int32Array.from(at, (i) => users[i]!),
    actions: Int32Array.from(at, (i) => actions[i]!),
    scopes: Int32Array.from(at, (i) => scopes[i]!),
  };
}
