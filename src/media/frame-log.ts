// The frame log: the bounded recent past of one stream, as a ring of entries. It owns what is kept and for how
// long, and where a reader may start; it never knows who reads.
import { headerSlot } from '../format/codec.ts';
import { type Frame, FrameKind, type LoggedFrame, type Run } from '../format/frame.ts';
import { keptBytes, type MemoryBudget, type MemoryCharge } from './memory-budget.ts';

/**
 *     evicted │ oldest ............ newest key ....... head │ next
 *     ────────┼──────────────────────┼──────────────────────┼──────> position
 *             │<── log, logMs ──────>│<──── newest GOP ────>│
 *
 * A position is a frame's place in this node's log, +1 each, across epochs; a cursor is a reader's next position.
 */
export type Position = number;

/** The newest decoder set-up of each track that an epoch had at some entry; a new object each time one changes. */
export interface TrackHeaders {
  readonly metadata: Frame | undefined;
  readonly video: Frame | undefined;
  readonly audio: Frame | undefined;
  /** Those of further tracks and the like, by their slot (format/codec.ts); at most MAX_OTHER_HEADERS. */
  readonly others: ReadonlyMap<string, Frame> | undefined;
}

export const NO_HEADERS: TrackHeaders = {
  metadata: undefined,
  video: undefined,
  audio: undefined,
  others: undefined,
};

/** Set-up beyond these passes to those who play by then, and is not kept. */
const MAX_OTHER_HEADERS = 32;
const MAX_HEADER_BYTES = 256 * 1024;

/** What a log has before its first run. */
const NO_RUN: Run = { epoch: 0, from: 0, firstDts: 0, newestDts: 0 };

/** One frame in the log. Immutable. */
export interface LogEntry extends LoggedFrame {
  readonly position: Position;
  /** When it was appended, monotonic ms. */
  readonly cameAtMs: number;
  /** In effect once this entry was read. */
  readonly headers: TrackHeaders;
  /** A sequence header that every reader has, since it is equal to the one in effect (design §6, splice). */
  readonly repeated: boolean;
  /** Payload bytes ever logged, this entry included: two entries' difference is the bytes between them. */
  readonly totalBytes: number;
}

/** Bounds of one log. The newest GOP may be older than `logMs`, up to `gopMs`. */
export interface LogLimits {
  readonly logMs: number;
  readonly gopMs: number;
  readonly logBytes: number;
  readonly logFrames: number;
}

const FIRST_SLOTS = 64;
/** Audio alone has no key frames: a reader starts at the last second. */
const AUDIO_GOP_MS = 1000;
/** A stream whose video is silent for this long while audio goes on is taken as audio only. */
export const VIDEO_GONE_MS = 10_000;

export class FrameLog {
  readonly #limits: LogLimits;
  readonly #budget: MemoryBudget;
  readonly #memory: MemoryCharge;
  /** Set-up in effect outlives its entries, so it is counted by itself. */
  readonly #setUpMemory: MemoryCharge;
  #slots: (LogEntry | undefined)[] = new Array(FIRST_SLOTS).fill(undefined);
  #oldest: Position = 0;
  #next: Position = 0;
  #totalBytes = 0;
  #headers = NO_HEADERS;
  #run = NO_RUN;
  /** Does the next entry open the run? */
  #opens = true;
  /** The newest seq of the run; one below its first before it has a frame. */
  #afterSeq = NO_RUN.from - 1;
  /** Of the newest frame that is no set-up sent ahead; epoch 0 before there is one. */
  #headEpoch = 0;
  #headSeq = 0;
  /** Of the epoch before: known to all readers, until one may have started in this epoch. */
  #earlierHeaders = NO_HEADERS;
  /** Readers may not start before it: a run's first entry, or the first after a source left. */
  #startFloor: Position = 0;
  #newestKey: Position = -1;
  #newestVideoTime = Number.NEGATIVE_INFINITY;

  constructor(limits: LogLimits, budget: MemoryBudget) {
    this.#limits = limits;
    this.#budget = budget;
    this.#memory = budget.charge('log');
    this.#setUpMemory = budget.charge('log');
  }

  /** The oldest position still kept; equal to `next` when the log is empty. */
  get oldest(): Position {
    return this.#oldest;
  }

  /** The position that the next frame will get. */
  get next(): Position {
    return this.#next;
  }

  /** Bytes that its entries hold in memory, overhead included. */
  get bytes(): number {
    return this.#memory.bytes;
  }

  /** The newest entry. */
  get head(): LogEntry | undefined {
    return this.at(this.#next - 1);
  }

  /** The run that is appended to. */
  get run(): Run {
    return this.#run;
  }

  /** Epoch and seq of the newest frame, set-up sent ahead of a run not counted. */
  get headSeq(): { readonly epoch: number; readonly seq: number } | undefined {
    return this.#headEpoch === 0 ? undefined : { epoch: this.#headEpoch, seq: this.#headSeq };
  }

  /** The newest key frame that readers may start at; -1: there is none. */
  get newestKey(): Position {
    return this.#newestKey;
  }

  /** The entry at a position, if it is still kept. */
  at(position: Position): LogEntry | undefined {
    if (position < this.#oldest || position >= this.#next) return undefined;
    return this.#slots[position & (this.#slots.length - 1)];
  }

  /**
   * What is appended from now on is a run of its own: nobody starts before it. A higher epoch has its own decoder
   * set-up, and none of a track that it may not have; a run of the same epoch keeps what is known of it.
   */
  begin(run: Run): void {
    this.closeToJoiners();
    if (run.epoch !== this.#run.epoch) {
      this.#setHeaders(NO_HEADERS, this.#headers);
    }
    this.#run = run;
    this.#opens = true;
    this.#afterSeq = run.from - 1;
  }

  /**
   * Adds a frame of the run at the head. Nothing is evicted until `trim`.
   * @param cameAtMs now, monotonic ms
   * @param isSetUp decoder set-up from before the run, sent ahead of it
   */
  append(frame: Frame, time: number, cameAtMs: number, isSetUp = false): LogEntry {
    const position = this.#next;
    this.#totalBytes += frame.payload.length;
    const slot = frame.role === 'header' ? headerSlot(frame.kind, frame.payload) : undefined;
    const own = slot && headerIn(this.#headers, slot);
    const known = slot && (own ?? headerIn(this.#earlierHeaders, slot));
    const repeated = known ? known.payload.equals(frame.payload) : false;
    // A header in effect is of its own epoch, so that its seq tells its place among the others.
    if (slot && !(own && repeated)) this.#setHeaders(withHeader(this.#headers, slot, frame));
    else if (frame.role === 'metadata') this.#setHeaders(withMetadata(this.#headers, frame));
    const entry: LogEntry = {
      frame,
      time,
      run: this.#run,
      opens: this.#opens,
      isSetUp,
      afterSeq: this.#afterSeq,
      position,
      cameAtMs,
      headers: this.#headers,
      repeated,
      totalBytes: this.#totalBytes,
    };
    if (position - this.#oldest === this.#slots.length) this.#grow();
    this.#slots[position & (this.#slots.length - 1)] = entry;
    this.#next = position + 1;
    this.#opens = false;
    if (!isSetUp) {
      this.#afterSeq = frame.seq;
      this.#headEpoch = this.#run.epoch;
      this.#headSeq = frame.seq;
    }
    this.#memory.take(keptBytes(frame.payload));
    if (frame.kind === FrameKind.video && frame.role !== 'header') this.#newestVideoTime = time;
    if (frame.role === 'key') this.#newestKey = position;
    const isStart = frame.role === 'key' || (frame.kind === FrameKind.audio && frame.role === 'sample');
    if (isStart && this.#earlierHeaders !== NO_HEADERS) this.#setHeaders(this.#headers, NO_HEADERS);
    return entry;
  }

  /**
   * Evicts what is over the bounds, oldest first; the head always stays.
   * @param upTo the newest position that may go: what is not flushed yet stays
   */
  trim(upTo: Position = this.#next): void {
    const headTime = this.head?.time ?? 0;
    for (
      let oldest = this.at(this.#oldest);
      oldest && oldest.position <= upTo && this.#isOver(oldest, headTime);
    ) {
      this.#evictOldest();
      oldest = this.at(this.#oldest);
    }
  }

  #isOver(oldest: LogEntry, headTime: number): boolean {
    const { logMs, gopMs, logBytes, logFrames } = this.#limits;
    const frames = this.#next - this.#oldest;
    if (frames === 1) return false;
    const ageMs = headTime - oldest.time;
    const inNewestGop = this.#newestKey >= 0 ? oldest.position >= this.#newestKey : ageMs <= AUDIO_GOP_MS;
    if (ageMs > (inNewestGop ? gopMs : logMs)) return true;
    if (this.bytes > logBytes || frames > logFrames) return true;
    return this.#budget.isExhausted || (this.#budget.isOver && !inNewestGop);
  }

  /** From here on nobody starts at what is already logged: a run begins, or the source is gone. */
  closeToJoiners(): void {
    this.#startFloor = this.#next;
    this.#newestKey = -1;
    this.#newestVideoTime = Number.NEGATIVE_INFINITY;
  }

  /** A track goes on with another codec: what was before is no decoder set-up for it. */
  forgetHeader(kind: FrameKind): void {
    const track = kind === FrameKind.video ? 'video' : 'audio';
    this.#setHeaders(withoutTrack(this.#headers, track), withoutTrack(this.#earlierHeaders, track));
  }

  /** Does video flow? Turns false again when it stops while audio goes on. */
  get hasVideo(): boolean {
    const head = this.head;
    return head !== undefined && head.time - this.#newestVideoTime < VIDEO_GONE_MS;
  }

  /**
   * Where a new reader starts: the newest key frame or, without video, the last second of audio.
   * `undefined`: nothing to start at yet, so wait.
   */
  startPosition(): Position | undefined {
    if (this.hasVideo) return this.#newestKey >= this.#oldest ? this.#newestKey : undefined;
    return this.#audioStart();
  }

  /**
   * Where a reader goes on that has all of `epoch` before `from`: behind what it has. `next` if it has all there is.
   * `undefined`: frames that it lacks were kept no longer.
   */
  resumePosition(epoch: number, from: number): Position | undefined {
    let first: LogEntry | undefined;
    for (let at = this.#next - 1; at >= this.#oldest; at -= 1) {
      const entry = this.at(at);
      if (!entry || entry.isSetUp) continue;
      const { run, frame } = entry;
      if (run.epoch < epoch || (run.epoch === epoch && frame.seq < from)) return at + 1;
      first = entry;
    }
    const isWhole = !first || this.at(this.#oldest)?.opens === true;
    if (isWhole || (first?.run.epoch === epoch && first.afterSeq < from)) return this.#oldest;
    return undefined;
  }

  /** The oldest seq of the run's epoch that is kept. */
  get oldestSeq(): number | undefined {
    for (let at = this.#oldest; at < this.#next; at += 1) {
      const entry = this.at(at);
      if (entry && !entry.isSetUp && entry.run.epoch === this.#run.epoch) return entry.frame.seq;
    }
    return undefined;
  }

  #audioStart(): Position | undefined {
    const head = this.head;
    let start: Position | undefined;
    for (let at = this.#next - 1; head && at >= Math.max(this.#oldest, this.#startFloor); at -= 1) {
      const entry = this.at(at);
      if (!entry || head.time - entry.time > AUDIO_GOP_MS || entry.frame.kind === FrameKind.video) break;
      if (entry.frame.kind === FrameKind.audio && entry.frame.role === 'sample') start = at;
    }
    return start;
  }

  /** Lets everything go; positions go on counting. */
  clear(): void {
    while (this.#oldest < this.#next) this.#evictOldest();
    this.#setHeaders(NO_HEADERS, NO_HEADERS);
    this.closeToJoiners();
  }

  #setHeaders(inEffect: TrackHeaders, earlier = this.#earlierHeaders): void {
    this.#headers = inEffect;
    this.#earlierHeaders = earlier;
    this.#setUpMemory.hold(bytesIn(inEffect) + bytesIn(earlier));
  }

  #evictOldest(): void {
    const slot = this.#oldest & (this.#slots.length - 1);
    const entry = this.#slots[slot];
    this.#slots[slot] = undefined;
    this.#oldest += 1;
    if (entry) this.#memory.give(keptBytes(entry.frame.payload));
  }

  #grow(): void {
    const grown: (LogEntry | undefined)[] = new Array(this.#slots.length * 2).fill(undefined);
    for (let at = this.#oldest; at < this.#next; at += 1) grown[at & (grown.length - 1)] = this.at(at);
    this.#slots = grown;
  }
}

/** As a row: metadata, and the set-up of each track. */
export function headersIn({ metadata, video, audio, others }: TrackHeaders): Frame[] {
  const row = [metadata, video, audio, ...(others?.values() ?? [])];
  return row.filter((frame) => frame !== undefined);
}

function bytesIn(headers: TrackHeaders): number {
  return headersIn(headers).reduce((sum, { payload }) => sum + keptBytes(payload), 0);
}

/** What is in effect in the place that a header or metadata would take. */
export function counterpartOf(frame: Frame, headers: TrackHeaders): Frame | undefined {
  if (frame.role === 'metadata') return headers.metadata;
  return headerIn(headers, headerSlot(frame.kind, frame.payload));
}

/** The header in effect of a slot. */
function headerIn(headers: TrackHeaders, slot: string): Frame | undefined {
  return slot === 'video' || slot === 'audio' ? headers[slot] : headers.others?.get(slot);
}

function withMetadata(before: TrackHeaders, frame: Frame): TrackHeaders {
  return frame.payload.length > MAX_HEADER_BYTES ? before : { ...before, metadata: frame };
}

function withHeader(before: TrackHeaders, slot: string, frame: Frame): TrackHeaders {
  if (frame.payload.length > MAX_HEADER_BYTES) return before;
  if (slot === 'video' || slot === 'audio') return { ...before, [slot]: frame };
  const isNew = before.others?.has(slot) !== true;
  if (isNew && before.others?.size === MAX_OTHER_HEADERS) return before;
  return { ...before, others: new Map([...(before.others ?? []), [slot, frame]]) };
}

/** Without the set-up of all tracks of a kind. */
function withoutTrack(headers: TrackHeaders, track: 'video' | 'audio'): TrackHeaders {
  const others = [...(headers.others ?? [])].filter(([slot]) => !slot.startsWith(track));
  return { ...headers, [track]: undefined, others: others.length > 0 ? new Map(others) : undefined };
}
