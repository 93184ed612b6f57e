// One subscription at one peer: from the question to the last word. It holds the peer to the order of the wire; what its
// runs and frames are to the stream, its replica judges.
import type { ByteCount } from '../base/byte-count.ts';
import type { Reason } from '../base/errors.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Run } from '../format/frame.ts';
import type { Control, ControlMessage } from '../format/mesh/control.ts';
import type { MediaFrame, MediaMessage } from '../format/mesh/media-codec.ts';
import type { Place } from './gate.ts';
import type { Peer } from './peer.ts';

/** Told what a subscription brings; none of these calls back into it but by `leave`. */
export interface UpstreamListener {
  granted(upstream: Upstream, grant: Control<'ok'>): void;
  /** Not granted: the peer's no, or that no answer came. */
  declined(upstream: Upstream, why: Control<'no'> | Reason): void;
  /** What follows belongs to this run. */
  runBegins(upstream: Upstream, run: Run): void;
  setUp(upstream: Upstream, run: Run, frame: MediaFrame): void;
  frame(upstream: Upstream, run: Run, frame: MediaFrame): void;
  /** The peer dropped so many frames on purpose, up to and with this seq. */
  skipped(upstream: Upstream, run: Run, toSeq: number, count: number): void;
  pathChanged(upstream: Upstream): void;
  stateChanged(upstream: Upstream, state: Control<'state'>): void;
  /** It brings nothing any more: the peer gave it up, broke the order, or is gone. */
  over(upstream: Upstream, why: Reason): void;
}

export type ToldState = Pick<Control<'state'>, 'at' | 'msLeft' | 'why'>;

/** `asked`, then `fed` by the peer; `over` when either side ended it. */
export type UpstreamState = 'asked' | 'fed' | 'over';

/** The code of an end that the same peer may mend. */
export const OUT_OF_ORDER = 'mesh.order';

export class Upstream {
  readonly key: StreamKey;
  readonly peer: Peer;
  /** Of the question that it began with. */
  readonly id: number;
  /** What the peer sends of it is added to it. */
  received: ByteCount = { bytes: 0 };
  readonly #listener: UpstreamListener;
  #state: UpstreamState = 'asked';
  #ref = 0;
  #path: readonly string[] = [];
  #told: ToldState = { at: 'live', msLeft: 0, why: undefined };
  /** The run that the peer is in; it speaks of no other. */
  #current: { readonly epochRef: number; readonly run: Run } | undefined;
  #nextSeq = 0;

  constructor(key: StreamKey, peer: Peer, id: number, listener: UpstreamListener) {
    this.key = key;
    this.id = id;
    this.peer = peer;
    this.#listener = listener;
  }

  get state(): UpstreamState {
    return this.#state;
  }

  /** The peer's number for the stream; 0 before it was granted. */
  get ref(): number {
    return this.#ref;
  }

  /** From the origin to the peer. */
  get path(): readonly string[] {
    return this.#path;
  }

  /** The state of the stream as the peer told it last. */
  get told(): ToldState {
    return this.#told;
  }

  /** What the head is that the peer tells by its own numbers; undefined if it is not of the epoch that it is in. */
  placeOf(epochRef: number, seq: number): Place | undefined {
    return this.#current?.epochRef === epochRef ? { epoch: this.#current.run.epoch, seq } : undefined;
  }

  grant(message: Control<'ok'>): void {
    this.#state = 'fed';
    this.#ref = message.ref;
    this.#path = message.path;
    this.#told = { at: message.state, msLeft: message.msLeft, why: undefined };
    this.#listener.granted(this, message);
  }

  /** It was never granted. */
  decline(why: Control<'no'> | Reason): void {
    if (this.#state !== 'asked') return;
    this.#state = 'over';
    this.#listener.declined(this, why);
  }

  /** This side wants no more of it; nothing is heard of it after this. */
  leave(): void {
    this.#state = 'over';
  }

  /** The peer's end of it is gone. Calm when repeated. */
  end(why: Reason): void {
    if (this.#state === 'asked') this.decline(why);
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#listener.over(this, why);
  }

  control(message: ControlMessage): void {
    if (this.#state !== 'fed') return;
    switch (message.is) {
      case 'epoch':
        this.#begin(message);
        break;
      case 'skip':
        this.#skip(message);
        break;
      case 'path':
        this.#path = message.path;
        this.#listener.pathChanged(this);
        break;
      case 'state':
        this.#told = message;
        this.#listener.stateChanged(this, message);
        break;
      default:
    }
  }

  media(message: MediaMessage): void {
    const run = this.#runOf(message.epochRef);
    for (const frame of message.frames) {
      if (this.#state !== 'fed') return;
      const isNext = frame.seq === this.#nextSeq || message.kind === 'set-up';
      if (!run || !isNext) {
        this.#outOfOrder(`frame ${frame.seq} came in place of ${this.#nextSeq}`);
      } else if (message.kind === 'set-up') this.#listener.setUp(this, run, frame);
      else {
        this.#nextSeq += 1;
        this.#listener.frame(this, run, frame);
      }
    }
  }

  #begin({ epochRef, epoch, from, firstDts, newestDts }: Control<'epoch'>): void {
    const run: Run = { epoch, from, firstDts, newestDts };
    this.#current = { epochRef, run };
    this.#nextSeq = from;
    this.#listener.runBegins(this, run);
  }

  #skip({ epochRef, from, to }: Control<'skip'>): void {
    const run = this.#runOf(epochRef);
    if (!run || from !== this.#nextSeq || to < from) {
      this.#outOfOrder(`${from} to ${to} were skipped in place of ${this.#nextSeq}`);
      return;
    }
    this.#nextSeq = to + 1;
    this.#listener.skipped(this, run, to, to - from + 1);
  }

  #runOf(epochRef: number): Run | undefined {
    return this.#current?.epochRef === epochRef ? this.#current.run : undefined;
  }

  /** A sender never reorders: what comes now can't be trusted, so the stream is asked for again. */
  #outOfOrder(what: string): void {
    this.end({ code: OUT_OF_ORDER, message: `the peer broke the order of the stream: ${what}` });
  }
}
