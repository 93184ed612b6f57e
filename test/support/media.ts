// Media that can be told apart: frames with an id, a format that spells out what it carries, sinks that read it back.
import type { Reason } from '../../src/base/errors.ts';
import { isSecretField, type Log } from '../../src/base/log.ts';
import { parseStreamKey, type StreamKey } from '../../src/base/stream-key.ts';
import {
  Frame,
  type FrameEncoder,
  FrameKind,
  type FrameRole,
  type Run,
  type TimedFrame,
  type Tracks,
} from '../../src/format/frame.ts';
import { MediaCounters } from '../../src/media/counters.ts';
import type { LogLimits } from '../../src/media/frame-log.ts';
import { MemoryBudget } from '../../src/media/memory-budget.ts';
import type { Player, Sink } from '../../src/media/player.ts';
import { type HoldTimes, Publication } from '../../src/media/publication.ts';
import { Stream, type StreamOptions, type StreamSource } from '../../src/media/stream.ts';
import { Turns } from '../../src/media/turns.ts';
import { FakeClock } from './fake-clock.ts';
import { secretScan } from './secrets.ts';

export const GONE: Reason = { code: 'test.gone', message: 'the publisher is gone' };
export const NEWER: Reason = { code: 'test.newer', message: 'a newer source came' };

export const KEY: StreamKey = parseStreamKey('live', 'test');

/** Limits that no small test reaches. */
export const WIDE_LOG: LogLimits = { logMs: 10_000, gopMs: 30_000, logBytes: 64 << 20, logFrames: 32_768 };
export const STREAM_OPTIONS: StreamOptions = {
  log: WIDE_LOG,
  player: { maxBacklogBytes: 8 << 20, maxBacklogMs: 5000, stallMs: 15_000 },
  maxDelayMs: 100,
};

/** First bytes of a payload, as FLV v10.1 §E.4.2 and §E.4.3 have them; `disposable` video, `sample` audio and data. */
const HEADS: Readonly<Record<string, readonly number[]>> = {
  'avc header': [0x17, 0, 0, 0, 0],
  'avc key': [0x17, 1, 0, 0, 0],
  'avc delta': [0x27, 1, 0, 0, 0],
  'avc disposable': [0x37, 1, 0, 0, 0],
  'hevc header': [0x1c, 0, 0, 0, 0],
  'hevc key': [0x1c, 1, 0, 0, 0],
  'hevc delta': [0x2c, 1, 0, 0, 0],
  'aac header': [0xaf, 0],
  'aac sample': [0xaf, 1],
  'mp3 sample': [0x2f],
  metadata: [2, 0, 10, ...Buffer.from('onMetaData')],
  data: [2, 0, 4, ...Buffer.from('test')],
};

export type PayloadName =
  | `avc ${'header' | 'key' | 'delta' | 'disposable'}`
  | `hevc ${'header' | 'key' | 'delta'}`
  | 'aac header'
  | 'aac sample'
  | 'mp3 sample'
  | 'metadata'
  | 'data';

/** A payload of at least its head and the id, filled up to `size` bytes. */
export function payloadOf(name: PayloadName, id: number, size = 0): Buffer {
  const head = HEADS[name] ?? [];
  const payload = Buffer.alloc(Math.max(size, head.length + 4), id & 0xff);
  payload.set(head);
  payload.writeUInt32BE(id, head.length);
  return payload;
}

export function kindOf(name: PayloadName): FrameKind {
  if (name === 'metadata' || name === 'data') return FrameKind.data;
  return name.startsWith('aac') || name.startsWith('mp3') ? FrameKind.audio : FrameKind.video;
}

export function roleOf(name: PayloadName): FrameRole {
  if (name === 'metadata') return 'metadata';
  return name === 'data' ? 'sample' : (name.split(' ')[1] as FrameRole);
}

/** A frame as a source would append it. */
export function frameOf(name: PayloadName, id: number, dts: number, size = 0): Frame {
  return new Frame(kindOf(name), roleOf(name), id, dts, payloadOf(name, id, size));
}

/** A run of an epoch, from its first frame on. */
export function runOf(epoch: number, from = 1, firstDts = 0, newestDts = firstDts): Run {
  return { epoch, from, firstDts, newestDts };
}

/** The id that `payloadOf` wrote. */
export function idOf(kind: number, payload: Buffer): number {
  const first = payload[0] ?? 0;
  const at =
    kind === FrameKind.video
      ? 5
      : kind === FrameKind.audio
        ? first === 0x2f
          ? 1
          : 2
        : payload[2] === 10
          ? 13
          : 7;
  return payload.readUInt32BE(at);
}

/** A frame as a player received it. The payload is a copy. */
export interface Received {
  readonly kind: number;
  readonly time: number;
  readonly id: number;
  readonly payload: Buffer;
}

const OPENING = 0xff;
const RECORD_HEAD_BYTES = 9;

/** A format for tests: each frame is its kind, its time, its length and its payload. Holds encoders to their contract. */
export class TestEncoder implements FrameEncoder {
  readonly format: string;
  /** What it encoded, call by call. */
  readonly batches: TimedFrame[][] = [];
  /** With which base, call by call. */
  readonly bases: number[] = [];

  constructor(format = 'test') {
    this.format = format;
  }

  open(tracks: Tracks): Buffer {
    return Buffer.from([OPENING, tracks.audio ? 1 : 0, tracks.video ? 1 : 0]);
  }

  encode(batch: readonly TimedFrame[], base: number): Buffer {
    this.batches.push([...batch]);
    this.bases.push(base);
    if (batch.length === 0) throw new Error('an empty batch was encoded');
    const bytes = Buffer.allocUnsafe(
      batch.reduce((sum, { frame }) => sum + RECORD_HEAD_BYTES + frame.payload.length, 0),
    );
    let at = 0;
    for (const { frame, time } of batch) {
      const stamp = time - base;
      if (!Number.isInteger(stamp) || stamp < 0 || stamp >= 2 ** 31) {
        throw new Error(`a time of ${stamp} was encoded`);
      }
      at = bytes.writeUInt8(frame.kind, at);
      at = bytes.writeUInt32BE(stamp, at);
      at = bytes.writeUInt32BE(frame.payload.length, at);
      at += frame.payload.copy(bytes, at);
    }
    return bytes;
  }
}

/** How a sink was closed. */
export interface SinkEnd {
  readonly how: 'end' | 'destroy';
  readonly code: string;
}

/** A sink that reads back what it got. Bytes leave at once, or stay until `drain`. */
export class FakeSink implements Sink {
  /** The very buffers that it was given. */
  readonly buffers: Buffer[] = [];
  readonly openings: Tracks[] = [];
  readonly frames: Received[] = [];
  readonly ends: SinkEnd[] = [];
  player: Player | undefined;
  /** Lets those have their turn who wait for it. */
  turn: () => void = () => {};
  readonly #mode: 'fast' | 'by-hand';
  /** Each byte counts so often. */
  readonly #weight: number;
  readonly #onWrite: () => void;
  #backlogBytes = 0;

  constructor(
    mode: 'fast' | 'by-hand' = 'fast',
    { weight = 1, onWrite = () => {} }: { weight?: number; onWrite?: () => void } = {},
  ) {
    this.#mode = mode;
    this.#weight = weight;
    this.#onWrite = onWrite;
  }

  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  get isOver(): boolean {
    return this.ends.length > 0;
  }

  get ids(): number[] {
    return this.frames.map(({ id }) => id);
  }

  get times(): number[] {
    return this.frames.map(({ time }) => time);
  }

  write(bytes: Buffer): boolean {
    if (this.isOver) throw new Error('bytes were written to a sink that is over');
    this.buffers.push(bytes);
    if (this.#mode === 'by-hand') this.#backlogBytes += bytes.length * this.#weight;
    this.#read(bytes);
    this.#onWrite();
    return this.#backlogBytes === 0;
  }

  end(why: Reason): void {
    this.ends.push({ how: 'end', code: why.code });
  }

  destroy(why: Reason): void {
    this.ends.push({ how: 'destroy', code: why.code });
  }

  /** Some of the backlog leaves. */
  release(bytes: number): void {
    this.#backlogBytes = Math.max(0, this.#backlogBytes - bytes);
  }

  /** The backlog leaves, and the player hears of it, as from a socket; and then it is its turn. */
  drain(): void {
    this.#backlogBytes = 0;
    this.player?.drained();
    this.turn();
  }

  /** Drains until nothing more comes. */
  drainAll(): void {
    for (let before = -1; before !== this.buffers.length; ) {
      before = this.buffers.length;
      this.drain();
    }
  }

  #read(bytes: Buffer): void {
    if (bytes[0] === OPENING) {
      this.openings.push({ audio: bytes[1] === 1, video: bytes[2] === 1 });
      return;
    }
    for (let at = 0; at < bytes.length; ) {
      const kind = bytes.readUInt8(at);
      const bodyAt = at + RECORD_HEAD_BYTES;
      const end = bodyAt + bytes.readUInt32BE(at + 5);
      const payload = Buffer.from(bytes.subarray(bodyAt, end));
      this.frames.push({ kind, time: bytes.readUInt32BE(at + 1), id: idOf(kind, payload), payload });
      at = end;
    }
  }
}

/** A log that keeps its lines. */
export class FakeLog implements Log {
  readonly lines: { level: string; fields: object; event: string }[] = [];

  debug(fields: object, event: string): void {
    this.#write('debug', fields, event);
  }
  info(fields: object, event: string): void {
    this.#write('info', fields, event);
  }
  warn(fields: object, event: string): void {
    this.#write('warn', fields, event);
  }
  error(fields: object, event: string): void {
    this.#write('error', fields, event);
  }

  of(event: string): object[] {
    return this.lines.filter((line) => line.event === event).map(({ fields }) => fields);
  }

  #write(level: string, fields: object, event: string): void {
    secretScan.line(JSON.stringify(fields, (name, value) => (isSecretField(name) ? undefined : value)));
    this.lines.push({ level, fields, event });
  }
}

export class FakeSource implements StreamSource {
  readonly epoch: number;
  readonly displacedBy: string[] = [];

  constructor(epoch: number) {
    this.epoch = epoch;
  }

  silentMs(): number {
    return 0;
  }

  displace(why: Reason): void {
    this.displacedBy.push(why.code);
  }
}

/** One stream and what it needs. */
export class StreamBench {
  readonly clock: FakeClock;
  readonly log = new FakeLog();
  readonly counters = new MediaCounters();
  readonly budget: MemoryBudget;
  readonly stream: Stream;
  /** How often the stream said that it ended. */
  endedCount = 0;
  #epoch = 0;

  constructor({
    options = {},
    budgetBytes = 2 ** 40,
    clock = new FakeClock(),
  }: { options?: Partial<StreamOptions>; budgetBytes?: number; clock?: FakeClock } = {}) {
    this.clock = clock;
    this.budget = new MemoryBudget(budgetBytes);
    this.stream = new Stream(
      KEY,
      { ...STREAM_OPTIONS, ...options },
      {
        ...{ clock, log: this.log, budget: this.budget, turns: new Turns(clock), counters: this.counters },
        changed: ({ state }) => this.#changed(state.at),
      },
    );
  }

  #changed(at: Stream['state']['at']): void {
    if (at === 'ended') this.endedCount += 1;
  }

  /** A new source takes the stream. */
  attach(): FakeSource {
    this.#epoch += 1;
    const source = new FakeSource(this.#epoch);
    this.stream.attach(source, NEWER);
    return source;
  }

  /** A new source takes the stream, and has its first frame. */
  start(firstDts = 0): FakeSource {
    const source = this.attach();
    this.begin(firstDts);
    return source;
  }

  /** The source has its first frame. */
  begin(firstDts = 0): void {
    this.stream.begin(runOf(this.#epoch, 1, firstDts));
  }

  /** Appends frames; nothing is flushed. */
  append(...frames: readonly Frame[]): void {
    for (const frame of frames) this.stream.append(frame);
  }

  /** A player joins, and it is its turn. */
  play(sink = new FakeSink(), encoder: FrameEncoder = new TestEncoder()): FakeSink {
    this.join(sink, encoder);
    sink.turn = () => this.clock.turn();
    sink.turn();
    return sink;
  }

  /** A player joins, and waits for its turn. */
  join(sink: FakeSink, encoder: FrameEncoder): void {
    sink.player = this.stream.play(encoder, sink, { remote: '203.0.113.1:50000' });
  }
}

/** A publisher of a stream: what it sends goes the whole way of a publication. */
export class FakePublisher {
  readonly publication: Publication;
  /** Codes of the reasons with which the node ended it. */
  readonly endedBy: string[] = [];

  constructor(bench: StreamBench, holds: HoldTimes = { holdMs: 30_000, holdAfterStopMs: 30_000 }) {
    const { stream, clock, log, budget } = bench;
    const request = {
      key: KEY,
      query: new URLSearchParams(),
      protocol: 'rtmp' as const,
      remote: '203.0.113.2:40000',
      session: 'publisher123',
      ended: (why: Reason) => void this.endedBy.push(why.code),
    };
    this.publication = new Publication(
      request,
      { epoch: stream.epoch + 1, stream, holds },
      { clock, log, budget },
    );
    stream.attach(this.publication, NEWER);
  }

  /** @param timestamp wire time; taken modulo 2^32 */
  send(name: PayloadName, timestamp: number, id: number, size = 0): void {
    const wire = ((timestamp % 2 ** 32) + 2 ** 32) % 2 ** 32;
    this.publication.append(kindOf(name), wire, payloadOf(name, id, size));
  }
}
