// What comes of a replica's upstreams, on its way into the stream: runs and frames are judged, a new run enters with its
// first frame and its set-up, and while two upstreams overlap nothing is lost, taken twice or out of order.
import type { Clock, Timer } from '../base/clock.ts';
import { classify } from '../format/codec.ts';
import { Frame, type Run } from '../format/frame.ts';
import type { MediaFrame } from '../format/mesh/media-codec.ts';
import type { Stream } from '../media/stream.ts';
import { Gate, type Place } from './gate.ts';

/** While two upstreams overlap, a run that is ahead waits so long for the frames before it. */
const OVERLAP_MS = 100;
export const MAX_HELD_BACK = 4_096;
/** Set-up frames that may come ahead of a run: more than any encoder has tracks. */
const MAX_SET_UP = 64;
const MAX_SET_UP_BYTES = 16 * 1024 * 1024;

/** Of two upstreams that overlap, the one that is to stay, or the one that is to go. */
export type Lane = 'current' | 'former';

export interface IntakeNeeds {
  readonly clock: Clock;
  /** The node's stream, with the replica as its source. */
  readonly stream: () => Stream;
  /** Is there a former upstream that still brings frames? */
  readonly overlaps: () => boolean;
  /** The current upstream goes on from where the stream is, or has begun anew: the former one can go. */
  readonly taken: () => void;
  readonly spliced: (verdict: 'splice' | 'gap') => void;
}

/** A run of which no frame came yet. It is entered with its first frame, so that its set-up is never without it. */
interface Opening {
  readonly lane: Lane;
  readonly run: Run;
  readonly setUp: MediaFrame[];
  setUpBytes: number;
}

/** What the current upstream brought that has to wait. */
type Waiting =
  | { readonly is: 'run'; readonly run: Run }
  | { readonly is: 'set-up'; readonly run: Run; readonly frame: MediaFrame }
  | { readonly is: 'frame'; readonly run: Run; readonly frame: MediaFrame }
  | { readonly is: 'skip'; readonly run: Run; readonly toSeq: number };

export class Intake {
  readonly #needs: IntakeNeeds;
  readonly #gate = new Gate();
  #opening: Opening | undefined;
  /** Bounded by MAX_HELD_BACK and OVERLAP_MS. */
  #heldBack: { readonly run: Run; readonly items: Waiting[]; readonly timer: Timer } | undefined;

  constructor(needs: IntakeNeeds) {
    this.#needs = needs;
  }

  /** The newest frame that the stream has, or that was dropped on purpose. */
  get place(): Place | undefined {
    return this.#gate.place;
  }

  /** What waits for the frames before it. */
  get heldBackCount(): number {
    return this.#heldBack?.items.length ?? 0;
  }

  /** The stream is here already, up to this place. */
  resumeFrom({ epoch, seq }: Place): void {
    this.#gate.enter({ epoch, from: seq + 1 });
  }

  /** @returns false if a higher epoch is known: the upstream is behind */
  runBegins(lane: Lane, run: Run): boolean {
    if (this.#holdsBack(lane)) return this.#holdBack({ is: 'run', run });
    const verdict = this.#gate.judge(run);
    if (verdict === 'fenced') return false;
    if (verdict === 'gap' && lane === 'current' && this.#needs.overlaps()) {
      const timer = this.#needs.clock.after(OVERLAP_MS, () => this.endOverlap());
      this.#heldBack = { run, items: [{ is: 'run', run }], timer };
      return true;
    }
    this.#opening = verdict === 'goes-on' ? undefined : { lane, run, setUp: [], setUpBytes: 0 };
    if (verdict === 'goes-on' && lane === 'current') this.#needs.taken();
    return true;
  }

  setUp(lane: Lane, run: Run, frame: MediaFrame): void {
    if (this.#holdsBack(lane)) this.#holdBack({ is: 'set-up', run, frame });
    else if (this.#opening?.run === run && hasRoom(this.#opening, frame)) {
      this.#opening.setUp.push(frame);
      this.#opening.setUpBytes += frame.payload.length;
    }
  }

  frame(lane: Lane, run: Run, frame: MediaFrame): void {
    if (this.#holdsBack(lane)) {
      this.#holdBack({ is: 'frame', run, frame });
      return;
    }
    if (this.#opening?.run === run) this.#enter(this.#opening);
    if (!this.#gate.pass(run.epoch, frame.seq)) return;
    this.#needs.stream().append(frameOf(frame));
    if (this.#heldBack && this.#gate.judge(this.#heldBack.run) === 'goes-on') this.endOverlap();
  }

  skipped(lane: Lane, run: Run, toSeq: number): void {
    if (this.#holdsBack(lane)) this.#holdBack({ is: 'skip', run, toSeq });
    else this.#gate.skip(run.epoch, toSeq);
  }

  /** The former upstream has got there, has had its time, or is gone: what was held back is taken. */
  endOverlap(): void {
    this.#needs.taken();
    const items = this.#heldBack?.items ?? [];
    this.drop();
    for (const item of items) this.#take(item);
  }

  /** What was held back is of an upstream that is no longer the current one. */
  drop(): void {
    this.#heldBack?.timer.cancel();
    this.#heldBack = undefined;
  }

  /** The first frame of a run: the stream is spliced, and given the run's set-up. */
  #enter({ lane, run, setUp }: Opening): void {
    this.#opening = undefined;
    const verdict = this.#gate.judge(run);
    if (lane === 'current') this.#needs.taken();
    if (verdict === 'fenced' || verdict === 'goes-on') return;
    this.#gate.enter(run);
    const stream = this.#needs.stream();
    stream.begin(run);
    for (const frame of setUp) stream.appendSetUp(frameOf(frame));
    this.#needs.spliced(verdict);
  }

  #take(item: Waiting): void {
    switch (item.is) {
      case 'run':
        this.runBegins('current', item.run);
        break;
      case 'set-up':
        this.setUp('current', item.run, item.frame);
        break;
      case 'frame':
        this.frame('current', item.run, item.frame);
        break;
      case 'skip':
        this.skipped('current', item.run, item.toSeq);
    }
  }

  #holdsBack(lane: Lane): boolean {
    return this.#heldBack !== undefined && lane === 'current';
  }

  #holdBack(item: Waiting): true {
    this.#heldBack?.items.push(item);
    if ((this.#heldBack?.items.length ?? 0) > MAX_HELD_BACK) this.endOverlap();
    return true;
  }
}

function hasRoom({ setUp, setUpBytes }: Opening, { payload }: MediaFrame): boolean {
  return setUp.length < MAX_SET_UP && setUpBytes + payload.length <= MAX_SET_UP_BYTES;
}

function frameOf({ kind, seq, dts, payload }: MediaFrame): Frame {
  return new Frame(kind, classify(kind, payload), seq, dts, payload);
}
