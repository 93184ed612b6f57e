// One authorised and claimed publish: from a publisher's messages to the frames of an epoch. It owns their dts and
// seq, and where the epoch starts.
import type { Clock } from '../base/clock.ts';
import type { Reason } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { StreamKey } from '../base/stream-key.ts';
import { classify } from '../format/codec.ts';
import { Frame, FrameKind, type FrameRole } from '../format/frame.ts';
import { apart } from '../format/payload-slab.ts';
import { VIDEO_GONE_MS } from './frame-log.ts';
import { LeadIn, type LeadInFrame } from './lead-in.ts';
import type { MemoryBudget, MemoryCharge } from './memory-budget.ts';
import type { Stream, StreamSource } from './stream.ts';
import { MAX_LEAP_MS, unwrapTime } from './timeline.ts';

/** What a door asks for a publisher. */
export interface PublishRequest {
  readonly key: StreamKey;
  /** Of the stream name; it carries the publish secret. */
  readonly query: URLSearchParams;
  readonly protocol: 'rtmp' | 'http-flv';
  /** "address:port" of the publisher. */
  readonly remote: string;
  /** The id of its session. */
  readonly session: string;
  /** The header of its request; undefined with RTMP, and where there is none. Secret. */
  readonly authorization?: string | undefined;
  /** Called once if the node ends the publication; never after `end`. */
  readonly ended: (why: Reason) => void;
}

/** Where a door puts what its publisher sends. */
export interface PublisherInlet {
  /**
   * One media message. An empty one, or one after the end, is ignored.
   * @param timestamp 32-bit wire time, ms
   * @param payload owned by the inlet from now on; at most 8 MiB
   */
  append(kind: FrameKind, timestamp: number, payload: Buffer): void;
  /** The publisher ends it, or its connection is gone. Calm when repeated. */
  end(why: Reason): void;
}

/**
 * Authorises and claims a publish.
 * @throws TidewayError `auth.*`, `publish.denied`, `publish.taken`, `publish.backup-taken`, `publish.no-memory`,
 *   `publish.too-many-streams`, `limits.files`, `node.draining`, `node.stopping`
 */
export type OpenPublication = (request: PublishRequest) => Promise<PublisherInlet>;

/** The publisher said that it is done. */
export const PUBLISHER_STOPPED: Reason = {
  code: 'publish.stopped',
  message: 'the publisher ended the stream',
};

export interface HoldTimes {
  /** After a publisher was lost, ms. */
  readonly holdMs: number;
  /** After a publisher said that it is done, ms. */
  readonly holdAfterStopMs: number;
}

export class Publication implements StreamSource, PublisherInlet {
  #epoch: number;
  /** The epoch that it goes on under, from where players can start. */
  #nextEpoch: number | undefined;
  readonly remote: string;
  readonly startedMs: number;
  readonly #request: PublishRequest;
  readonly #stream: Stream;
  readonly #holds: HoldTimes;
  readonly #clock: Clock;
  readonly #log: Log;
  #open = true;
  #leadIn: LeadIn | undefined = new LeadIn();
  readonly #leadInMemory: MemoryCharge;
  #videoOpen = false;
  #nextSeq = 1;
  #newestDts: number | undefined;
  #lastAudioDts: number | undefined;
  #lastVideoDts: number | undefined;
  /** Taken from the publisher so far. */
  bytes = 0;
  frames = 0;
  /** Frames that no decoder could use: video before the first key frame, or more than the lead-in holds. */
  dropped = 0;
  #lastFrameMs: number;

  constructor(
    request: PublishRequest,
    grant: { epoch: number; stream: Stream; holds: HoldTimes },
    deps: { clock: Clock; log: Log; budget: Pick<MemoryBudget, 'charge'> },
  ) {
    this.#request = request;
    this.remote = request.remote;
    this.#epoch = grant.epoch;
    this.#stream = grant.stream;
    this.#holds = grant.holds;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#leadInMemory = deps.budget.charge('lead-in');
    this.startedMs = deps.clock.now();
    this.#lastFrameMs = this.startedMs;
    const { protocol, session } = request;
    this.#log.info(
      { stream: this.key, session, epoch: this.epoch, protocol, remote: this.remote },
      'publish.start',
    );
  }

  get key(): StreamKey {
    return this.#request.key;
  }

  /** Of the frames that it appends now. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Ended by its publisher or by the node? */
  get isOpen(): boolean {
    return this.#open;
  }

  /**
   * Goes on under a higher epoch, since others have seen one above the present: from the next key frame, or audio frame
   * where there is no video, with the decoder set-up ahead of it. What comes before that is of the epoch that ends.
   */
  goOnAs(epoch: number): void {
    if (!this.#open) return;
    const { session } = this.#request;
    this.#log.info({ stream: this.key, session, epoch, before: this.#epoch }, 'publish.new-epoch');
    if (this.#leadIn) this.#epoch = epoch;
    else this.#nextEpoch = epoch;
  }

  /** Ms since the last frame. */
  silentMs(nowMs: number): number {
    return nowMs - this.#lastFrameMs;
  }

  append(kind: FrameKind, timestamp: number, payload: Buffer): void {
    if (!this.#open || payload.length === 0) return;
    this.bytes += payload.length;
    this.frames += 1;
    this.#lastFrameMs = this.#clock.now();
    const role = classify(kind, payload);
    const dts = this.#dtsOf(kind, role, timestamp);
    // The log keeps set-up for as long as it is in effect.
    const kept = role === 'header' || role === 'metadata' ? apart(payload) : payload;
    if (this.#leadIn) this.#hold({ kind, role, dts, payload: kept });
    else this.#send(kind, role, dts ?? 0, kept);
  }

  /** The stream goes into hold. */
  end(why: Reason): void {
    if (!this.#open) return;
    this.#close(why);
    const { holdMs, holdAfterStopMs } = this.#holds;
    this.#stream.detach(this, why, why.code === PUBLISHER_STOPPED.code ? holdAfterStopMs : holdMs);
  }

  displace(why: Reason): void {
    if (!this.#open) return;
    this.#close(why);
    this.#request.ended(why);
  }

  #close(why: Reason): void {
    this.#open = false;
    this.#leadIn = undefined;
    this.#leadInMemory.hold(0);
    this.#log.info(
      {
        stream: this.key,
        session: this.#request.session,
        epoch: this.epoch,
        protocol: this.#request.protocol,
        remote: this.remote,
        reason: why.code,
        durationMs: Math.round(this.#clock.now() - this.startedMs),
        bytes: this.bytes,
        frames: this.frames,
        dropped: this.dropped,
      },
      'publish.end',
    );
  }

  /**
   * The dts of a message. Only media frames move time: encoders send headers and metadata with time 0 at any moment,
   * so these take the time of their track. Undefined: there was no media frame yet.
   */
  #dtsOf(kind: FrameKind, role: FrameRole, timestamp: number): number | undefined {
    const track = kind === FrameKind.video ? this.#lastVideoDts : this.#lastAudioDts;
    if (kind === FrameKind.data) {
      if (role === 'metadata' || this.#newestDts === undefined) return this.#newestDts;
      const dts = unwrapTime(timestamp, this.#newestDts);
      return Math.abs(dts - this.#newestDts) > MAX_LEAP_MS ? this.#newestDts : dts;
    }
    if (role === 'header') return track ?? this.#newestDts;
    const dts = unwrapTime(timestamp, track ?? this.#newestDts);
    if (kind === FrameKind.video) this.#lastVideoDts = dts;
    else this.#lastAudioDts = dts;
    this.#newestDts = Math.max(dts, this.#newestDts ?? dts);
    return dts;
  }

  #hold(frame: LeadInFrame): void {
    const started = this.#leadIn?.push(frame);
    if (started) this.#leadIn = undefined;
    this.#leadInMemory.hold(this.#leadIn?.bytes ?? 0);
    if (!started) return;
    this.#drop(started.dropped);
    const { firstDts, newestDts } = started;
    this.#stream.begin({ epoch: this.epoch, from: this.#nextSeq, firstDts, newestDts });
    for (const held of started.frames) {
      this.#send(held.kind, held.role, held.dts ?? started.firstDts, held.payload);
    }
  }

  #send(kind: FrameKind, role: FrameRole, dts: number, payload: Buffer): void {
    if (role === 'key') this.#videoOpen = true;
    if (kind === FrameKind.video && role !== 'header' && !this.#videoOpen) {
      this.#drop(1);
      return;
    }
    if (this.#nextEpoch !== undefined && this.#canStart(kind, role, dts))
      this.#beginNext(this.#nextEpoch, dts);
    this.#append(kind, role, dts, payload);
  }

  #drop(frames: number): void {
    this.dropped += frames;
    this.#stream.meter.unusable += frames;
  }

  #canStart(kind: FrameKind, role: FrameRole, dts: number): boolean {
    if (role === 'key') return true;
    const hasVideo = this.#videoOpen && dts - (this.#lastVideoDts ?? dts) < VIDEO_GONE_MS;
    return !hasVideo && kind === FrameKind.audio && role === 'sample';
  }

  #beginNext(epoch: number, dts: number): void {
    const { setUp } = this.#stream;
    this.#epoch = epoch;
    this.#nextEpoch = undefined;
    this.#nextSeq = 1;
    this.#stream.begin({ epoch, from: 1, firstDts: dts, newestDts: dts });
    for (const { kind, role, payload } of setUp) this.#append(kind, role, dts, payload);
  }

  #append(kind: FrameKind, role: FrameRole, dts: number, payload: Buffer): void {
    this.#stream.append(new Frame(kind, role, this.#nextSeq, dts, payload));
    this.#nextSeq += 1;
  }
}
