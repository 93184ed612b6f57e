// Looks at all streams of the node, each twice a second and a few at a time: what comes of them becomes rates, curves and
// alarms. It keeps something of each stream that is here, and nothing of those that are gone.
import { type Clock, every, type Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import type { Stream, StreamState } from '../media/stream.ts';
import type { AlarmLimits, ParentHas, StreamSigns } from '../observe/alarm-rules.ts';
import { AlarmBook, type StreamAlarms } from '../observe/alarms.ts';
import { LOOK_EVERY_MS, QualityWindow } from '../observe/quality-window.ts';

/** Streams that are looked at in one turn of the event loop, and how long that may take, ms. */
const STREAMS_A_TURN = 200;
const TURN_MS = 4;
/** So many are looked at before it is asked how long it took. */
const STREAMS_A_GLANCE = 20;
/** Video that no decoder can use comes again and again until this passed without. */
const UNUSABLE_MS = 2_000;
/** A round that begins later than this says more about this process than about streams. */
const LATE_MS = 500;
/** Why a replica is in hold that lost its upstream, and found no other (mesh/replica.ts). */
const LOST = 'relay.lost';

/** The part of the mesh that looks ask. */
export interface WatchedMesh {
  /** Undefined for a stream that is published here. */
  replica(key: StreamKey): { readonly upstream: string | undefined } | undefined;
  upstreamHas(key: StreamKey): ParentHas;
  /** What the hop from the upstream takes, ms; undefined while nobody knows. */
  hopDelayMs(key: StreamKey): number | undefined;
}

export interface QualityWatchNeeds {
  readonly clock: Clock;
  readonly log: Log;
  /** The id of this node. */
  readonly node: string;
  readonly streams: () => Iterable<Stream>;
  readonly mesh: WatchedMesh;
}

/** What is kept of a stream. */
interface Watched {
  readonly window: QualityWindow;
  readonly alarms: StreamAlarms;
  /** Who fed it last, while it was live. */
  feeder: string | undefined;
  /** Frames that no decoder could use, and when there were more of them. */
  unusable: number;
  unusableMs: number;
}

type Live = Extract<StreamState, { at: 'live' }>;

export class QualityWatch {
  readonly alarms: AlarmBook;
  readonly #needs: QualityWatchNeeds;
  /** Bounded by the streams of the node: what ends is forgotten at once. */
  readonly #watched = new Map<StreamKey, Watched>();
  #timer: Timer | undefined;
  /** The rest of a round that is under way. */
  #round: Iterator<Stream> | undefined;
  #roundMs = 0;
  /** The process stood still until now: what came meanwhile is read first. */
  #stoodStill = false;
  #turn: Timer | undefined;
  /** The longest that the looks of one turn took, ms. */
  worstTurnMs = 0;

  constructor(limits: AlarmLimits, needs: QualityWatchNeeds) {
    this.#needs = needs;
    this.alarms = new AlarmBook(limits, needs);
  }

  get tables(): Table[] {
    const watched = { table: 'watched_streams', entries: this.#watched.size, limit: undefined };
    return [watched, ...this.alarms.tables];
  }

  start(): void {
    this.#roundMs = this.#needs.clock.now();
    this.#timer = every(this.#needs.clock, LOOK_EVERY_MS, () => this.#begin());
  }

  /** Calm when repeated. */
  stop(): void {
    this.#timer?.cancel();
    this.#turn?.cancel();
    this.#round = undefined;
  }

  /** A stream of this node went live, into hold, or ended. */
  streamChanged(stream: Stream): void {
    if (stream.state.at === 'ended') {
      this.#watched.get(stream.key)?.alarms.endAll();
      this.#watched.delete(stream.key);
    } else if (stream.state.at === 'live') {
      const known = this.#watched.get(stream.key);
      if (known) known.window.restart();
      else this.#add(stream);
    }
  }

  /** The recent past of a stream; empty of one that was not looked at yet. */
  windowOf(stream: Stream): QualityWindow {
    return this.#watched.get(stream.key)?.window ?? new QualityWindow();
  }

  /** A round that takes longer than the pause between two goes on in place of the next. */
  #begin(): void {
    const nowMs = this.#needs.clock.now();
    this.#stoodStill = nowMs - this.#roundMs > LOOK_EVERY_MS + LATE_MS;
    this.#roundMs = nowMs;
    this.#round ??= this.#needs.streams()[Symbol.iterator]();
    this.#turn ??= this.#needs.clock.soon(() => this.#lookAtSome());
  }

  #lookAtSome(): void {
    const { clock } = this.#needs;
    const startMs = clock.now();
    this.#turn = undefined;
    for (let looked = 0; looked < STREAMS_A_TURN && this.#round; looked += 1) {
      if (looked % STREAMS_A_GLANCE === 0 && clock.now() - startMs > TURN_MS) break;
      const next = this.#round.next();
      if (next.done === true) this.#round = undefined;
      else this.#look(next.value, clock.now());
    }
    this.worstTurnMs = Math.max(this.worstTurnMs, clock.now() - startMs);
    if (this.#round) this.#turn = clock.soon(() => this.#lookAtSome());
  }

  #look(stream: Stream, nowMs: number): void {
    const { state } = stream;
    if (state.at !== 'live' && state.at !== 'held') return;
    const watched = this.#watched.get(stream.key) ?? this.#add(stream);
    push(watched.window, stream, nowMs);
    if (stream.meter.unusable > watched.unusable) watched.unusableMs = nowMs;
    watched.unusable = stream.meter.unusable;
    if (this.#stoodStill) return;
    const signs =
      state.at === 'live' ? this.#live(stream, state, watched, nowMs) : this.#lost(stream, state, watched);
    if (signs) watched.alarms.look(signs, nowMs);
    else watched.alarms.endAll();
  }

  #add(stream: Stream): Watched {
    const nowMs = this.#needs.clock.now();
    const watched: Watched = {
      window: new QualityWindow(),
      alarms: this.alarms.watch(stream.key),
      ...{ feeder: undefined, unusable: stream.meter.unusable, unusableMs: Number.NEGATIVE_INFINITY },
    };
    push(watched.window, stream, nowMs);
    this.#watched.set(stream.key, watched);
    return watched;
  }

  /** Undefined: nobody has fed it yet. */
  #live(stream: Stream, { source, sinceMs }: Live, watched: Watched, nowMs: number): StreamSigns | undefined {
    const { mesh, node: self } = this.#needs;
    const { key, meter, usualIntervalMs } = stream;
    const replica = mesh.replica(key);
    // What a publisher sends may be held back for a moment, until players can start.
    const silentMs = Math.min(source.silentMs(nowMs), nowMs - sinceMs);
    if (!replica) {
      const { window, unusableMs } = watched;
      const hasVideo = stream.codecs.video !== undefined || nowMs - unusableMs < UNUSABLE_MS;
      const keyMs = Number.isNaN(meter.lastKeyMs) ? sinceMs : Math.max(sinceMs, meter.lastKeyMs);
      const keyAgeMs = hasVideo ? nowMs - keyMs : undefined;
      const { bitsPerS, longestGapMs, usualBitsPerS } = window;
      const hopDelayMs = undefined;
      return {
        parent: undefined,
        self,
        silentMs,
        usualIntervalMs,
        keyAgeMs,
        bitsPerS,
        longestGapMs,
        usualBitsPerS,
        hopDelayMs,
      };
    }
    watched.feeder = replica.upstream ?? watched.feeder;
    if (watched.feeder === undefined) return undefined;
    const parent = { node: watched.feeder, has: mesh.upstreamHas(key) };
    return atReplica(parent, self, { silentMs, usualIntervalMs, hopDelayMs: mesh.hopDelayMs(key) });
  }

  /** In hold nothing is wrong with a stream, unless it is there since the node that fed it can't be reached. */
  #lost(
    stream: Stream,
    { why }: Extract<StreamState, { at: 'held' }>,
    watched: Watched,
  ): StreamSigns | undefined {
    const { clock, mesh, node: self } = this.#needs;
    const replica = mesh.replica(stream.key);
    if (!replica || replica.upstream !== undefined || why.code !== LOST) watched.feeder = undefined;
    if (watched.feeder === undefined) return undefined;
    const { usualIntervalMs } = stream;
    const silentMs = stream.silentMs(clock.now());
    const parent: StreamSigns['parent'] = { node: watched.feeder, has: 'unknown' };
    return atReplica(parent, self, { silentMs, usualIntervalMs, hopDelayMs: undefined });
  }
}

/** What only publishers can do wrong is not looked at. */
function atReplica(
  parent: StreamSigns['parent'],
  self: string,
  of: Pick<StreamSigns, 'silentMs' | 'usualIntervalMs' | 'hopDelayMs'>,
): StreamSigns {
  const { silentMs, usualIntervalMs, hopDelayMs } = of;
  const [keyAgeMs, bitsPerS, longestGapMs, usualBitsPerS] = [undefined, 0, 0, Number.NaN];
  return {
    ...{ parent, self, silentMs, usualIntervalMs, keyAgeMs, bitsPerS, longestGapMs, usualBitsPerS },
    hopDelayMs,
  };
}

function push(window: QualityWindow, { meter, playerCount }: Stream, nowMs: number): void {
  window.push({
    nowMs,
    streamMs: meter.streamMs,
    bytes: meter.bytes,
    videoBytes: meter.video.bytes,
    audioBytes: meter.audio.bytes,
    videoFrames: meter.video.frames,
    longestGapMs: meter.takeLongestGapMs(),
    players: playerCount,
  });
}
