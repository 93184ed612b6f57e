// A follower's place in the frame log: it copies the log frame by frame, from a start on or from where its copy ends,
// and what it is not given is announced. Pure: no sink, no socket.
import { FrameKind, type LoggedFrame, type Run } from '../format/frame.ts';
import type { LogReader } from './cursor.ts';
import { type FrameLog, headersIn, type LogEntry, type Position } from './frame-log.ts';

/** Where a copy goes on: it has all of `epoch` that is before the seq `from`. */
export interface Resume {
  readonly epoch: number;
  readonly from: number;
}

/** A reader that lags by more stream time goes without disposable frames, ms. */
const WITHOUT_DISPOSABLE_MS = 1000;
/** One that lags by more goes without video up to a key frame, ms. */
const WITHOUT_VIDEO_MS = 2500;

/**
 * Gives every entry, repeated set-up too. The first frame that a reader is given `opens` a run: that of its start, with
 * the times of what there is to read by then. Under pressure frames are left out; the next one's `afterSeq` tells.
 */
export class ExactCursor implements LogReader<LoggedFrame> {
  #position: Position | undefined;
  /** Until the first frame is given: where the reader goes on. */
  #resume: Resume | undefined;
  /** The frame that opens this run was left out: the next one of it opens it. */
  #unopened: Run | undefined;
  /** Frames behind this seq were left out, and that is not announced yet. */
  #afterSeq: number | undefined;
  /** Video is left out up to a key frame. */
  #isWithoutVideo = false;
  /** The least that the reader lagged since its start, ms: what it had to catch up with is no slowness of its own. */
  #leastLagMs = 0;
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
      !this.#isWithoutVideo
    );
  }

  get skips(): number {
    return this.#skips;
  }

  follow(entry: LogEntry): void {
    this.#position = entry.position + 1;
    this.#leastLagMs = 0;
  }

  /** A reader that the log has overtaken starts anew, as if it had nothing. */
  read(log: FrameLog, mark: Position, maxBytes: number): LoggedFrame[] {
    const frames: LoggedFrame[] = [];
    this.#place(log, mark, frames);
    if (this.#position === undefined) return frames;
    const markTime = log.at(mark)?.time ?? 0;
    let bytes = 0;
    for (const { frame } of frames) bytes += frame.payload.length;
    while (bytes < maxBytes) {
      const entry = log.at(this.#position);
      if (!entry || entry.position > mark) break;
      this.#position += 1;
      const lagMs = Math.max(0, markTime - entry.time);
      if (this.#resume) {
        this.#leastLagMs = lagMs;
        frames.push(openedAt(this.#resume, entry, log, mark));
        this.#resume = undefined;
      } else if (this.#isLeftOut(entry, lagMs, log)) {
        this.#leaveOut(entry);
        continue;
      } else {
        this.#leastLagMs = Math.min(this.#leastLagMs, lagMs);
        frames.push(this.#announced(entry));
      }
      bytes += entry.frame.payload.length;
    }
    if (this.#position > mark) this.#leastLagMs = 0;
    return frames;
  }

  /** Finds the reader's place, if it has none in this log. */
  #place(log: FrameLog, mark: Position, frames: LoggedFrame[]): void {
    if (this.#position !== undefined && this.#position >= log.oldest) return;
    if (this.#position !== undefined) {
      this.#skips += 1;
      this.#position = undefined;
      this.#resume = undefined;
    }
    if (this.#resume) this.#position = log.resumePosition(this.#resume.epoch, this.#resume.from);
    if (this.#position === undefined) this.#start(log, mark, frames);
  }

  /** At the log's newest start, with the set-up that a decoder needs there. */
  #start(log: FrameLog, mark: Position, frames: LoggedFrame[]): void {
    this.#resume = undefined;
    this.#unopened = undefined;
    this.#afterSeq = undefined;
    this.#isWithoutVideo = false;
    const position = log.startPosition();
    const entry = position === undefined || position > mark ? undefined : log.at(position);
    if (!entry) return;
    const { time, frame } = entry;
    const run = runFrom(entry, frame.seq, log, mark);
    const afterSeq = frame.seq - 1;
    for (const header of headersIn(entry.headers).sort((a, b) => a.seq - b.seq)) {
      frames.push({ frame: header, time, run, opens: frames.length === 0, isSetUp: true, afterSeq });
    }
    frames.push({ frame, time, run, opens: frames.length === 0, isSetUp: false, afterSeq });
    this.#position = entry.position + 1;
    this.#leastLagMs = Math.max(0, (log.at(mark)?.time ?? 0) - time);
  }

  #isLeftOut({ frame, position }: LogEntry, lagMs: number, log: FrameLog): boolean {
    if (frame.kind !== FrameKind.video || frame.role === 'header') return false;
    const slownessMs = lagMs - this.#leastLagMs;
    const isFarBehind = slownessMs > WITHOUT_VIDEO_MS;
    if (frame.role === 'key') this.#isWithoutVideo = isFarBehind && log.newestKey > position;
    else if (isFarBehind) this.#isWithoutVideo = true;
    return this.#isWithoutVideo || (frame.role === 'disposable' && slownessMs > WITHOUT_DISPOSABLE_MS);
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
