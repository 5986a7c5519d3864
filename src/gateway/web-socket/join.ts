import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import { pieceBytes, type Holding, type Shortage } from '../bodies/memory-budget.ts';
import type { Admit } from './admit.ts';
import { webSocketBounds } from './bounds.ts';
import type { Closing } from './closing.ts';
import { FrameMeter } from './frame-meter.ts';

/** One end of a joint: what is spoken on it, and the connection beneath. */
export interface End {
  readonly webSocket: WebSocket;
  readonly socket: Socket;
}

export interface Joining {
  readonly client: End;
  readonly upstream: End;
  /** Told of every message of the client that is passed on. */
  readonly received: (bytes: number) => void;
  /** Asked of every message of the client, which is passed on where it is absent. */
  readonly admit?: Admit | null;
  /** Told of every message of the client that is not. */
  readonly withheld?: () => void;
  /** Told of every message of the upstream that is passed on. */
  readonly sent: (bytes: number) => void;
  /** What is held of the messages of either end; null where it counts to nobody. */
  readonly holdings: Readonly<Record<Side, Holding | null>>;
  /** How often the ends are asked whether they are there. */
  readonly pingMilliseconds?: number;
}

export interface JointEnd {
  /** `completed`: one end closed in due form. `client-gone` and `failed`: that connection broke, or broke the protocol. */
  readonly ending: 'completed' | 'client-gone' | 'failed' | 'cut';
  /** The code that ended it; 1005 for a close without one, 1006 for none at all. */
  readonly closeCode: number;
}

export interface Joint {
  /**
   * From now on nothing is passed on. What it answers is to be called soon: it gives each end its close frame, a second
   * after which both are gone.
   */
  cut(closings: Readonly<Record<Side, Closing>>): () => void;
  /** Settled when both connections are closed. Never rejects. */
  readonly over: Promise<JointEnd>;
}

type Side = 'client' | 'upstream';

/**
 * Passes messages between two open WebSockets, one by one: text stays text, binary binary, pings and pongs go through
 * to the end that they were meant for. Each direction holds at most one message and `waitingBytes` in `waitingFrames`: a
 * sender whose receiver is slow is not read. All of that counts to `holdings`. Where those have no room, a sender is not
 * read as long as what waits for its receiver may leave; where nothing waits, and its message has not come to its end,
 * it is closed. An end that has said nothing to `silentPings` pings is taken for gone.
 */
export function joinWebSockets(joining: Joining): Joint {
  const { promise: over, resolve } = Promise.withResolvers<JointEnd>();
  const ends = { client: joining.client, upstream: joining.upstream };
  const mark = randomBytes(8);
  const open = new Set<Side>(['client', 'upstream']);
  const faults = new Map<Side, Closing>();
  let end: JointEnd | null = null;
  let patience: NodeJS.Timeout | undefined;

  /** The first reason counts. */
  const finish = (with_: JointEnd): void => {
    if (end !== null) return;
    end = with_;
    clearInterval(asking);
    // What still comes is thrown away, for the close frame is behind it.
    for (const { webSocket } of Object.values(ends)) webSocket.resume();
  };

  /** Both ends must be gone some time after they were told. */
  const allow = (milliseconds: number): void => {
    if (open.size === 0) return;
    clearTimeout(patience);
    patience = setTimeout(() => {
      for (const { webSocket } of Object.values(ends)) webSocket.terminate();
    }, milliseconds);
  };

  const passOn = (from: Side, to: Side, count: (bytes: number) => void, admit: Admit | null): void => {
    const source = ends[from].webSocket;
    const target = ends[to].webSocket;
    const { waitingBytes, waitingFrames } = webSocketBounds;
    let frames = 0;
    const holding = joining.holdings[from];
    const meter = new FrameMeter();
    let unfinished = 0;
    /** Where no more may be held, what waits has to leave first; where nothing waits, no message can come to its end. */
    const findsRoom = (): boolean => {
      const shortage = holding?.hold(unfinished + target.bufferedAmount + frames * pieceBytes) ?? null;
      if (shortage === null) return true;
      if (frames === 0 && unfinished > 0) overdrawn(from, to, shortage);
      else if (frames > 0 && end === null) source.pause();
      return frames === 0;
    };
    /** The library has seen it first: what has become whole waits for the target by now. */
    const onData = (chunk: Buffer): void => {
      unfinished = meter.take(chunk);
      findsRoom();
    };
    ends[from].socket.on('data', onData);
    const relieve = (): void => {
      frames -= 1;
      if (!findsRoom() || !source.isPaused || frames > waitingFrames / 2 || end !== null) return;
      if (target.bufferedAmount <= waitingBytes / 2) source.resume();
    };
    const hold = (): void => {
      frames += 1;
      if (end === null && (target.bufferedAmount > waitingBytes || frames > waitingFrames)) source.pause();
    };
    /** Who does not take the answers to what is withheld is not read either. */
    const withhold = (answer: Uint8Array | null): void => {
      joining.withheld?.();
      if (answer === null) return;
      source.send(answer, { binary: true }, relieve);
      hold();
    };
    source.on('message', (data: RawData, binary: boolean) => {
      if (end !== null) return;
      const bytes = bytesOf(data);
      const admitted = admit === null ? 'pass' : admit(bytes, binary);
      if (admitted !== 'pass') return withhold(admitted.answer);
      count(bytes.length);
      target.send(bytes, { binary }, relieve);
      hold();
    });
    source.on('ping', (data: Buffer) => {
      if (end !== null) return;
      target.ping(data, undefined, relieve);
      hold();
    });
    source.on('pong', (data: Buffer) => {
      if (end !== null || data.equals(mark)) return;
      target.pong(data, undefined, relieve);
      hold();
    });
    // The library has answered what broke the protocol, and closes that end by itself; the other end is told why.
    source.on('error', (fault: Error) => {
      ends[from].socket.off('data', onData);
      faults.set(from, closingOfFault(from, fault));
      told(from, to, 1006, '');
    });
    source.on('close', (code: number, reason: Buffer) => {
      told(from, to, code, reason.toString());
      open.delete(from);
      if (open.size > 0 || end === null) return;
      clearTimeout(patience);
      for (const holding of Object.values(joining.holdings)) holding?.release();
      resolve(end);
    });
  };

  /** One end has closed, or is about to: so does the other. */
  const told = (from: Side, to: Side, code: number, reason: string): void => {
    if (end !== null) return;
    const fault = faults.get(from);
    const broken = fault !== undefined || code === 1006;
    finish({
      ending: !broken ? 'completed' : from === 'client' ? 'client-gone' : 'failed',
      closeCode: fault?.code ?? code,
    });
    allow(webSocketBounds.closeMilliseconds);
    const closing = fault ?? (broken ? closingOfLoss(from) : { code: code === 1005 ? null : code, reason });
    closeWith(ends[to].webSocket, closing);
  };

  /** What more would come of its message could not be held: it is told, and not read until it is gone. */
  const overdrawn = (from: Side, to: Side, shortage: Shortage): void => {
    const { webSocket } = ends[from];
    const closing = closingOfShortage(shortage);
    faults.set(from, closing);
    told(from, to, 1006, '');
    closeWith(webSocket, closing);
    webSocket.pause();
    allow(webSocketBounds.cutMilliseconds);
  };

  const watch = { client: silenceOf(ends.client), upstream: silenceOf(ends.upstream) };
  const asking = setInterval(() => {
    for (const side of open) {
      const { webSocket } = ends[side];
      if (watch[side]() >= webSocketBounds.silentPings) webSocket.terminate();
      else if (webSocket.readyState === webSocket.OPEN) webSocket.ping(mark, undefined, ignore);
    }
  }, joining.pingMilliseconds ?? webSocketBounds.pingMilliseconds);
  asking.unref();

  passOn('client', 'upstream', joining.received, joining.admit ?? null);
  passOn('upstream', 'client', joining.sent, null);
  ends.upstream.webSocket.resume();
  return {
    over,
    cut: (closings) => {
      finish({ ending: 'cut', closeCode: closings.client.code ?? 1005 });
      return () => {
        allow(webSocketBounds.cutMilliseconds);
        closeWith(ends.client.webSocket, closings.client);
        closeWith(ends.upstream.webSocket, closings.upstream);
      };
    },
  };
}

/**
 * Counts how often in a row nothing came from an end. One that is not read, because what it sends has nowhere to go, or
 * that still takes what waits for it, is not silent.
 */
function silenceOf({ webSocket, socket }: End): () => number {
  let read = socket.bytesRead;
  let waiting = webSocket.bufferedAmount;
  let silent = 0;
  return () => {
    const taken = waiting > 0 && webSocket.bufferedAmount < waiting;
    silent = socket.bytesRead !== read || webSocket.isPaused || taken ? 0 : silent + 1;
    read = socket.bytesRead;
    waiting = webSocket.bufferedAmount;
    return silent;
  };
}

function closingOfFault(from: Side, fault: Error): Closing {
  if ('code' in fault && fault.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') {
    return { code: 1009, reason: `a message is larger than ${webSocketBounds.messageBytes} bytes` };
  }
  return closingOfLoss(from);
}

/** Try again later, in IANA’s registry: nothing is wrong with the message. */
function closingOfShortage(shortage: Shortage): Closing {
  const whose = shortage === 'caller' ? 'one caller' : 'all callers';
  return { code: 1013, reason: `as much is held here of the messages of ${whose} as may be` };
}

/** To the client 1014, to whom the upstream was promised; to the upstream 1001. RFC 6455 §7.4.1 and IANA’s registry. */
function closingOfLoss(lost: Side): Closing {
  return lost === 'upstream'
    ? { code: 1014, reason: 'the upstream is gone' }
    : { code: 1001, reason: 'the client is gone' };
}

function closeWith(webSocket: WebSocket, { code, reason }: Closing): void {
  if (code === null) webSocket.close();
  else webSocket.close(code, reason);
}

function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

function ignore(): void {
  // An end that cannot be pinged is closing.
}
