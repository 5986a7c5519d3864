/**
 * What becomes of one message of the client: it goes on to the upstream, or it is withheld, and the client is answered in the
 * upstream's place where it waits for an answer.
 */
export type Admit = (message: Buffer, isBinary: boolean) => 'pass' | Withheld;

export interface Withheld {
  /** A binary message; null: nothing is said. */
  readonly answer: Uint8Array | null;
}
