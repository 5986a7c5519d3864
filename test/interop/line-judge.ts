import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A program that answers each line of its input with one line: `ok`, or `refused: …`. */
export class LineJudge {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(program: string, ...args: readonly string[]) {
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('the judge has no output');
    this.#answers = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  async judge(path: string): Promise<string> {
    this.#child.stdin?.write(`${path}\n`);
    const answer = await this.#answers.next();
    if (answer.done === true) throw new Error(`the judge ended at ${path}`);
    return answer.value;
  }

  end(): void {
    this.#child.stdin?.end();
  }
}
