// One direction of a proxied connection: bytes, the end and a reset, in order, each at its time. It owns the timer.
import type { Socket } from 'node:net';

/** What happens to the bytes of one direction. */
export interface Flow {
  /**
   * `stall`: nothing is read, and all of it arrives after the healing, as when packets are lost and sent again.
   * `swallow`: all of it is read and lost; the connection is cut on healing, since its bytes have a hole.
   */
  readonly is: 'pass' | 'stall' | 'swallow';
  /** Each byte is late by this, and up to `jitterMs` more; the order is kept. */
  readonly delayMs: number;
  readonly jitterMs: number;
  /** Each write is at most so large, in a turn of its own. */
  readonly splitBytes: number;
  readonly bytesPerS: number;
}

/** Bytes pass as they come. */
export const PLAIN_FLOW: Flow = {
  is: 'pass',
  delayMs: 0,
  jitterMs: 0,
  splitBytes: Number.POSITIVE_INFINITY,
  bytesPerS: Number.POSITIVE_INFINITY,
};

/** What waits to go out: bytes, or how the source ended. */
interface Parcel {
  readonly dueMs: number;
  readonly is: Buffer | 'end' | 'reset';
}

/** More than this is not read ahead of its time. */
const MAX_QUEUED_BYTES = 8 << 20;
/** What a router keeps of a throttled way, in time; beyond it senders have to wait. */
const THROTTLED_QUEUE_S = 0.1;
/** A throttled write is at most what may pass in this time, so that it flows instead of hopping. */
const THROTTLE_STEP_S = 0.02;

export class Pipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #random: () => number;
  #flow: Flow | undefined;
  readonly #queue: Parcel[] = [];
  #queuedBytes = 0;
  #lastDueMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #turn: NodeJS.Immediate | undefined;
  #hasHole = false;
  /** `to` takes no more for now. */
  #isFull = false;

  /** Both sockets must be paused, and open to halves; nothing is read before the first `follow`. */
  constructor(from: Socket, to: Socket, random: () => number) {
    this.#from = from;
    this.#to = to;
    this.#random = random;
    from.on('data', (bytes: Buffer) => this.#read(bytes));
    from.on('end', () => this.#take('end'));
    from.on('close', (hadError: boolean) => this.#take(hadError ? 'reset' : 'end'));
    to.on('drain', () => {
      this.#isFull = false;
      this.#pump();
    });
    to.on('close', () => this.#stopTimers());
    from.pause();
  }

  /** Bytes, or its end, were swallowed. */
  get hasHole(): boolean {
    return this.#hasHole;
  }

  follow(flow: Flow): void {
    this.#flow = flow;
    this.#pump();
  }

  #read(bytes: Buffer): void {
    const flow = this.#flow;
    if (!flow) return;
    if (flow.is === 'swallow') {
      this.#hasHole = true;
      return;
    }
    const most = Math.max(1, Math.min(flow.splitBytes, flow.bytesPerS * THROTTLE_STEP_S));
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, Math.min(bytes.length, at + Math.floor(Math.min(most, bytes.length))));
      at += part.length;
      this.#push(part, flow);
    }
    this.#pump();
  }

  #take(how: 'end' | 'reset'): void {
    if (this.#flow?.is === 'swallow') this.#hasHole = true;
    else this.#push(how, this.#flow);
    this.#pump();
  }

  #push(is: Parcel['is'], flow: Flow | undefined): void {
    const length = typeof is === 'string' ? 0 : is.length;
    const delayMs = flow ? flow.delayMs + flow.jitterMs * this.#random() : 0;
    const sendMs = flow ? (length / flow.bytesPerS) * 1000 : 0;
    // A reset overtakes nothing: TCP may lose what is on its way, and a test then could not say what it lost.
    this.#lastDueMs = Math.max(performance.now() + delayMs, this.#lastDueMs) + sendMs;
    this.#queue.push({ dueMs: this.#lastDueMs, is });
    this.#queuedBytes += length;
  }

  /** Hands out what is due, and says whether more may be read. */
  #pump(): void {
    const flow = this.#flow;
    if (!flow) return;
    if (flow.is === 'pass') this.#handOut(flow);
    else this.#stopTimers();
    const reads =
      flow.is === 'swallow' ||
      (flow.is === 'pass' && this.#queuedBytes < maxQueuedBytes(flow) && !this.#isFull);
    if (this.#from.destroyed) return;
    if (reads) this.#from.resume();
    else this.#from.pause();
  }

  #handOut({ splitBytes }: Flow): void {
    const nowMs = performance.now();
    for (let first = this.#queue[0]; first && !this.#isFull; first = this.#queue[0]) {
      if (first.dueMs > nowMs) {
        this.#timer ??= setTimeout(
          () => {
            this.#timer = undefined;
            this.#pump();
          },
          Math.max(1, Math.ceil(first.dueMs - nowMs)),
        );
        return;
      }
      if (this.#turn) return;
      this.#queue.shift();
      this.#send(first.is);
      if (Number.isFinite(splitBytes) && this.#queue.length > 0) {
        this.#turn = setImmediate(() => {
          this.#turn = undefined;
          this.#pump();
        });
        return;
      }
    }
  }

  #send(is: Parcel['is']): void {
    if (this.#to.destroyed) return;
    if (is === 'reset') this.#to.resetAndDestroy();
    else if (is === 'end') this.#to.end();
    else {
      this.#queuedBytes -= is.length;
      if (!this.#to.write(is)) this.#isFull = true;
    }
  }

  #stopTimers(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    clearImmediate(this.#turn);
    this.#turn = undefined;
  }
}

function maxQueuedBytes({ bytesPerS }: Flow): number {
  return Math.min(MAX_QUEUED_BYTES, bytesPerS * THROTTLED_QUEUE_S);
}
