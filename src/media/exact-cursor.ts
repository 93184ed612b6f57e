// A follower's place in the frame log: it copies the log frame by frame, from a start on or from where its copy ends,
// and what it is not given is announced. Pure: no sink, no socket.
import { FrameKind, type LoggedFrame, type Run } from '../format/frame.ts';
import { type LogReader, newestStart } from './cursor.ts';
import { type FrameLog, headersIn, type LogEntry, type Position } from './frame-log.ts';
import { type BacklogLimits, type GoesWithout, type LeftOut, Shedding } from './shedding.ts';

/** Where a copy goes on: it has all of `epoch` that is before the seq `from`. */
export interface Resume {
  readonly epoch: number;
  readonly from: number;
}

/** A follower that is slower goes without video up to a key frame; audio and set-up it is always given. */
const LIMITS: BacklogLimits = { maxBacklogBytes: 8 * 1024 * 1024, maxBacklogMs: 2500 };
/** One that is slower than this share of them goes without disposable frames: by 1 s. */
const SHARE = 0.4;

const NOTHING: readonly never[] = [];

/**
 * Gives every entry, repeated set-up too. The first frame that a reader is given `opens` a run: that of its start, with
 * the times of what there is to read by then. Under pressure frames are left out; the next one's `afterSeq` tells.
 */
export class ExactCursor implements LogReader<LoggedFrame> {
  readonly #shedding = new Shedding(LIMITS, SHARE);
  #position: Position | undefined;
  /** Until the first frame is given: where the reader goes on. */
  #resume: Resume | undefined;
  /** The frame that opens this run was left out: the next one of it opens it. */
  #unopened: Run | undefined;
  /** Frames behind this seq were left out, and that is not announced yet. */
  #afterSeq: number | undefined;
  #skips = 0;

  /** @param resume absent: it starts where players start, with the decoder set-up in effect there sent ahead */
  constructor(resume?: Resume) {
    this.#resume = resume;
  }

  get position(): Position | undefined {
    return this.#position;
  }

  get isInStep(): boolean {
    return (
      this.#resume === undefined &&
      this.#unopened === undefined &&
      this.#afterSeq === undefined &&
      this.without === 'nothing'
    );
  }

  get without(): GoesWithout {
    return this.#shedding.without;
  }

  get leftOut(): LeftOut {
    return this.#shedding.leftOut;
  }

  get skips(): number {
    return this.#skips;
  }

  /** A reader that the log has overtaken starts anew, as if it had nothing. A start is given with its set-up ahead. */
  place(log: FrameLog, mark: Position): readonly LoggedFrame[] {
    if (this.#position !== undefined) {
      if (this.#position >= log.oldest) return NOTHING;
      this.#skips += 1;
      this.#position = undefined;
      this.#resume = undefined;
    }
    if (this.#resume) this.#position = log.resumePosition(this.#resume.epoch, this.#resume.from);
    return this.#position === undefined ? this.#start(log, mark) : NOTHING;
  }

  takesAll(log: FrameLog, mark: Position): boolean {
    if (this.#position === undefined || this.#position < log.oldest) return false;
    this.#shedding.weigh(log, this.#position, mark);
    return this.isInStep;
  }

  follow(entry: LogEntry): void {
    this.#position = entry.position + 1;
    this.#shedding.pass(entry);
  }

  read(log: FrameLog, mark: Position, maxBytes: number): LoggedFrame[] {
    const frames: LoggedFrame[] = [];
    let bytes = 0;
    if (this.#resume) this.#shedding.restart();
    while (this.#position !== undefined && bytes < maxBytes) {
      const entry = this.#shedding.weigh(log, this.#position, mark);
      if (!entry) break;
      this.#position = entry.position + 1;
      if (this.#resume) {
        frames.push(openedAt(this.#resume, entry, log, mark));
        this.#resume = undefined;
      } else if (this.#shedding.leavesOut(entry.frame)) {
        this.#leaveOut(entry);
        continue;
      } else {
        frames.push(this.#announced(entry));
      }
      bytes += entry.frame.payload.length;
    }
    return frames;
  }

  /** At the log's newest start, with the set-up that a decoder needs there. */
  #start(log: FrameLog, mark: Position): readonly LoggedFrame[] {
    this.#resume = undefined;
    this.#unopened = undefined;
    this.#afterSeq = undefined;
    const entry = newestStart(log, mark);
    if (!entry) return NOTHING;
    this.#shedding.restart();
    this.#position = entry.position + 1;
    const { time, frame } = entry;
    const run = runFrom(entry, frame.seq, log, mark);
    const afterSeq = frame.seq - 1;
    const frames: LoggedFrame[] = [];
    for (const header of headersIn(entry.headers).sort((a, b) => a.seq - b.seq)) {
      frames.push({ frame: header, time, run, opens: frames.length === 0, isSetUp: true, afterSeq });
    }
    frames.push({ frame, time, run, opens: frames.length === 0, isSetUp: false, afterSeq });
    return frames;
  }

  #leaveOut(entry: LogEntry): void {
    if (entry.opens) {
      this.#unopened = entry.run;
      this.#afterSeq = entry.afterSeq;
    } else {
      this.#afterSeq ??= entry.afterSeq;
    }
  }

  /** The entry, with what was left out before it in its run. */
  #announced(entry: LogEntry): LoggedFrame {
    if (entry.opens) {
      this.#unopened = undefined;
      this.#afterSeq = undefined;
    }
    const opens = this.#unopened !== undefined;
    if (!opens && (this.#afterSeq === undefined || entry.isSetUp)) return entry;
    const { frame, time, run, isSetUp } = entry;
    const afterSeq = this.#afterSeq ?? entry.afterSeq;
    this.#unopened = undefined;
    if (!isSetUp) this.#afterSeq = undefined;
    return { frame, time, run, opens, isSetUp, afterSeq };
  }
}

/** The first frame of a reader that goes on: what it lacks of the row before this frame was dropped on purpose. */
function openedAt(resume: Resume, entry: LogEntry, log: FrameLog, mark: Position): LoggedFrame {
  const { frame, time, isSetUp } = entry;
  const isInside =
    !isSetUp && entry.run.epoch === resume.epoch && entry.afterSeq < resume.from && resume.from <= frame.seq;
  const from = isInside ? resume.from : entry.afterSeq + 1;
  const run = runFrom(entry, from, log, mark);
  return { frame, time, run, opens: true, isSetUp, afterSeq: from - 1 };
}

/** A run for a reader that starts in the midst of the entry's: with the times of what there is to read of it. */
function runFrom(entry: LogEntry, from: number, log: FrameLog, mark: Position): Run {
  let firstDts = Number.POSITIVE_INFINITY;
  let newestDts = Number.NEGATIVE_INFINITY;
  for (let at = entry.position; at <= mark; at += 1) {
    const next = log.at(at);
    if (next?.run !== entry.run) break;
    const { kind, role, dts } = next.frame;
    if (kind === FrameKind.data || role === 'header') continue;
    firstDts = Math.min(firstDts, dts);
    newestDts = Math.max(newestDts, dts);
  }
  if (newestDts < firstDts) firstDts = newestDts = entry.frame.dts;
  return { epoch: entry.run.epoch, from, firstDts, newestDts };
}
