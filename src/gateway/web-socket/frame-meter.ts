import { pieceBytes } from '../bodies/memory-budget.ts';

const longestHead = 14;

/**
 * Follows the frames of one direction of a WebSocket (RFC 6455 §5.2) and says how much has come of a message that has not
 * come to its end: what whoever reads the frames has to keep. Looks at where they end and at nothing else.
 */
export class FrameMeter {
  readonly #head = Buffer.alloc(longestHead);
  #headBytes = 0;
  /** Of the payload of the frame that is being read. */
  #left = 0;
  #frameBytes = 0;
  /** Of the fragments before it. */
  #messageBytes = 0;
  #pieces = 0;

  /** Takes the next bytes, and answers how much of all until now waits for more, with what its pieces cost. */
  take(chunk: Buffer): number {
    for (let at = 0; at < chunk.length;) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, chunk.length - at);
        at += taken;
        this.#left -= taken;
        this.#frameBytes += taken;
        if (this.#left === 0) this.#endFrame();
        continue;
      }
      this.#head[this.#headBytes++] = chunk[at++] ?? 0;
      this.#frameBytes += 1;
      if (this.#headBytes < headLength(this.#head, this.#headBytes)) continue;
      this.#headBytes = 0;
      this.#left = payloadLength(this.#head);
      if (this.#left === 0) this.#endFrame();
    }
    const bytes = this.#messageBytes + this.#frameBytes;
    if (bytes === 0) this.#pieces = 0;
    else this.#pieces += 1;
    return bytes + this.#pieces * pieceBytes;
  }

  #endFrame(): void {
    const [first = 0] = this.#head;
    const isControl = (first & 0x08) !== 0;
    const isLast = (first & 0x80) !== 0;
    if (!isControl && isLast) {
      this.#messageBytes = 0;
      this.#pieces = 0;
    } else if (!isControl) {
      this.#messageBytes += this.#frameBytes;
      this.#pieces += 1;
    }
    this.#frameBytes = 0;
  }
}

/** As far as it can be told from so many bytes of it. */
function headLength(head: Buffer, bytes: number): number {
  if (bytes < 2) return 2;
  const [, second = 0] = head;
  const length = second & 0x7f;
  return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + ((second & 0x80) === 0 ? 0 : 4);
}

function payloadLength(head: Buffer): number {
  const length = (head[1] ?? 0) & 0x7f;
  if (length === 126) return head.readUInt16BE(2);
  return length === 127 ? Number(head.readBigUInt64BE(2)) : length;
}
