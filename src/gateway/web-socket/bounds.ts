/** What one WebSocket may hold in memory, and how long it may keep somebody waiting. */
export const webSocketBounds = {
  /** Largest message, in either direction, with all its fragments; a larger one closes with 1009. */
  messageBytes: 16 * 1024 * 1024,
  /** Most fragments of one message: some hundred bytes each, together no more than the largest message. */
  fragments: 131_072,
  /** Bytes that wait for a slow receiver before its sender is no longer read. */
  waitingBytes: 1024 * 1024,
  /** Frames that wait for one: each costs some hundred bytes of memory, however small it is. */
  waitingFrames: 4096,
  /** An upstream must have answered the handshake by then. */
  handshakeMilliseconds: 10_000,
  /** How long a closing handshake may take. */
  closeMilliseconds: 5000,
  /** The same when Lockstep cuts: revocation reaches both ends within a second. */
  cutMilliseconds: 700,
  /** How often each end is asked whether it is still there. */
  pingMilliseconds: 30_000,
  /** So many times in a row without a byte from it, and an end is taken for gone. */
  silentPings: 3,
} as const;
