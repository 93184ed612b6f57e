// One stream that one peer pulls: a sink like any player's, over a link that it shares with others. It knows its part of
// what is under way; who is served next is downstreams.ts's.
import type { ByteCount } from '../base/byte-count.ts';
import type { Reason } from '../base/errors.ts';
import type { MeshEncoder } from '../format/mesh/mesh-encoder.ts';
import type { Player, Pressure, Sink } from '../media/player.ts';
import type { Stream } from '../media/stream.ts';
import type { Place } from './gate.ts';
import type { Peer } from './peer.ts';

/** A link whose socket holds this much serves the next only when it ran empty. */
const FULL_BYTES = 64 * 1024;
/** So much in the socket, or beyond twice the window, is too much for whoever adds to it. */
const OVERFULL_BYTES = 512 * 1024;
/** A stream that has less under way is no heavy one. */
const LIGHT_BYTES = 16 * 1024;
/** Writes of one stream that are told apart. */
const MAX_WRITES = 256;

/** A child, as this node serves it. */
export interface ChildRow {
  readonly node: string;
  readonly state: 'waiting' | 'behind' | 'live';
  readonly sentBytes: number;
  /** Sent and not read yet. */
  readonly queueBytes: number;
  /** Frames that it went without, being slow, and times that it went on at a newer start. */
  readonly leftOut: number;
  readonly skips: number;
}

/** What one peer pulls. */
export class Row {
  readonly byRef = new Map<number, Downstream>();
  /** Those that found the link full, in the order in which it serves them: who was served stands at the end. */
  readonly waiting = new Set<Downstream>();
}

/** One stream that one peer pulls. */
export class Downstream implements Sink {
  readonly stream: Stream;
  readonly peer: Peer;
  /** Of the question that it was granted for. */
  readonly id: number;
  readonly #row: Row;
  readonly encoder: MeshEncoder;
  readonly priority: number;
  readonly startedMs: number;
  /** What the peer is sent of it is added to it. */
  sent: ByteCount;
  readonly #over: (downstream: Downstream, why: Reason) => void;
  player: Player | undefined;
  /** The head that was told last. */
  told: Place | undefined;
  /** Its part of what is under way: where on the link its writes end, and their bytes. Oldest first. */
  readonly #writes: { end: number; bytes: number }[] = [];
  #underWayBytes = 0;
  #sentBytes = 0;

  constructor(
    of: Pick<Downstream, 'stream' | 'peer' | 'id' | 'encoder' | 'priority' | 'startedMs' | 'sent'> & {
      readonly row: Row;
    },
    over: (downstream: Downstream, why: Reason) => void,
  ) {
    this.#row = of.row;
    this.sent = of.sent;
    this.stream = of.stream;
    this.peer = of.peer;
    this.id = of.id;
    this.encoder = of.encoder;
    this.priority = of.priority;
    this.startedMs = of.startedMs;
    this.#over = over;
  }

  get ref(): number {
    return this.encoder.streamRef;
  }

  get backlogBytes(): number {
    return this.peer.backlogBytes;
  }

  get childRow(): ChildRow {
    const { state = 'waiting', cursor } = this.player ?? {};
    const { disposable = 0, video = 0 } = cursor?.leftOut ?? {};
    return {
      node: this.peer.node,
      state: state === 'ended' ? 'waiting' : state,
      ...{ sentBytes: this.#sentBytes, queueBytes: this.#ownBytes() },
      ...{ leftOut: disposable + video, skips: cursor?.skips ?? 0 },
    };
  }

  /**
   * A link that is full is so for all its streams; too full to be live it is only for those that have more of it than
   * others. A light stream is not made to wait for a heavy one's backlog, but at worst.
   */
  get pressure(): Pressure {
    const { backlogBytes, sentBytes, takenBytes, windowBytes } = this.peer;
    if (!isFull(this.peer)) return 'none';
    const underWayBytes = sentBytes - takenBytes;
    this.#row.waiting.add(this);
    const overBytes = underWayBytes - 2 * windowBytes;
    if (backlogBytes >= OVERFULL_BYTES || overBytes >= OVERFULL_BYTES) return 'overfull';
    if (overBytes < 0 && backlogBytes < FULL_BYTES) return 'full';
    const fairBytes = underWayBytes / this.#row.byRef.size;
    return this.#ownBytes() >= Math.max(LIGHT_BYTES, fairBytes) ? 'overfull' : 'full';
  }

  write(bytes: Buffer): boolean {
    this.peer.write(bytes);
    this.sent.bytes += bytes.length;
    this.#underWayBytes += bytes.length;
    this.#sentBytes += bytes.length;
    const { sentBytes: end } = this.peer;
    const last = this.#writes.at(-1);
    if (!last || this.#writes.length < MAX_WRITES) this.#writes.push({ end, bytes: bytes.length });
    else {
      last.end = end;
      last.bytes += bytes.length;
    }
    this.#ownBytes();
    return this.pressure === 'none';
  }

  /** Of the bytes under way, those of this stream. */
  #ownBytes(): number {
    const { takenBytes } = this.peer;
    let count = 0;
    for (const { end, bytes } of this.#writes) {
      if (end > takenBytes) break;
      this.#underWayBytes -= bytes;
      count += 1;
    }
    if (count > 0) this.#writes.splice(0, count);
    return this.#underWayBytes;
  }

  end(why: Reason): void {
    this.#over(this, why);
  }

  destroy(why: Reason): void {
    this.#over(this, why);
  }
}

/** What is written now would wait. */
export function isFull({ backlogBytes, sentBytes, takenBytes, windowBytes }: Peer): boolean {
  return backlogBytes >= FULL_BYTES || sentBytes - takenBytes >= windowBytes;
}
