// One player's frames, held against what must hold for them: all, once, in order, whole, at times that go on. And when
// they came, to measure gaps with. Pure: it is told the time.
import { FrameKind } from '../../src/format/frame.ts';
import { readNumbered } from './numbered-media.ts';

/** Towards a player time never leaps by more (design §6, splice). */
const MAX_LEAP_MS = 3_000;
/** Of each player, this many faults are told in words. */
const MAX_WORDS = 8;

export class FrameCheck {
  /** Audio and video frames that came. */
  frames = 0;
  /** Ids that were passed over and never came. */
  lost = 0;
  duplicated = 0;
  /** Came after a later one, once. */
  disordered = 0;
  /** Other bytes than those that were published. */
  corrupt = 0;
  /** Times that fell, and that leapt by more than 3 s. */
  backward = 0;
  leaps = 0;
  /** Sessions that did not begin with a key frame, and tracks that did not begin with decoder set-up. */
  badStarts = 0;
  /** Changes of session: of the publisher, as a player sees it. */
  splices = 0;
  /** Frames from the beginning of sessions that followed another, and did not come. */
  missedStarts = 0;
  /** Changes to a session with a lower number, which is an older one, or of another encoder. */
  setbacks = 0;
  /** Of the session that plays. */
  session = 0;
  /** Of the newest frame of that session. */
  lastId = 0;
  /** Longest that a frame was under way since this was set to 0, ms. */
  worstMs = 0;
  /** When its frames came, ms. */
  readonly arrivalsMs: number[] = [];
  /** The first frame of each session, and the first after each change: when it was sent, and came. */
  readonly starts: { readonly session: number; readonly sentMs: number; readonly atMs: number }[] = [];
  /** When the first key frame of all came, ms. */
  firstKeyAtMs: number | undefined;
  /** What was wrong. */
  readonly words: string[] = [];
  readonly #lastIds = new Map<number, number>();
  readonly #missing = new Map<number, Set<number>>();
  readonly #lastTimes = new Map<number, number>();
  /** Tracks of which something came. */
  readonly #begun = new Set<number>();
  /** The session whose video has not begun yet. */
  #awaitsVideo = true;

  /** @param time of the frame in the stream, ms */
  saw(kind: number, time: number, payload: Buffer, atMs: number): void {
    if (kind !== FrameKind.data) this.#checkTime(kind, time);
    const frame = readNumbered(kind, payload);
    if (kind !== FrameKind.data && !this.#begun.has(kind)) this.#beginTrack(kind, frame === undefined);
    if (!frame) return;
    this.frames += 1;
    this.arrivalsMs.push(atMs);
    if (!frame.isIntact) {
      this.corrupt += 1;
      this.#say(`frame ${frame.id} of session ${frame.session} is not what was published`);
      return;
    }
    const { session, id, sentMs, isKey } = frame;
    this.worstMs = Math.max(this.worstMs, atMs - sentMs);
    if (isKey) this.firstKeyAtMs ??= atMs;
    if (session !== this.session) this.#begin(session, id, sentMs, atMs);
    else this.#follow(session, id, this.lastId);
    if (kind === FrameKind.video && this.#awaitsVideo) {
      this.#awaitsVideo = false;
      if (!isKey) {
        this.badStarts += 1;
        this.#say(`session ${session} began with frame ${id}, which is no key frame`);
      }
    }
  }

  /** Nothing is wrong but frames that may be missing at the end. */
  get isClean(): boolean {
    const { lost, duplicated, disordered, corrupt, backward, leaps, badStarts } = this;
    return lost + duplicated + disordered + corrupt + backward + leaps + badStarts === 0;
  }

  /** Ids of a session that were passed over and have not come. */
  missingOf(session: number): ReadonlySet<number> {
    return this.#missing.get(session) ?? new Set();
  }

  /**
   * The longest wait for a frame that overlaps these times: one that began before counts whole, one that is not over
   * counts up to `toMs`.
   */
  longestWaitMs(fromMs: number, toMs: number): number {
    return longestWait(this.arrivalsMs, fromMs, toMs);
  }

  /** Who plays for hours keeps the arrivals of the last minutes. */
  forgetArrivals(beforeMs: number): void {
    this.arrivalsMs.splice(0, firstAfter(this.arrivalsMs, beforeMs));
  }

  #begin(session: number, id: number, sentMs: number, atMs: number): void {
    if (this.session !== 0) this.splices += 1;
    if (session < this.session) this.setbacks += 1;
    const isNew = this.session !== 0 && !this.#lastIds.has(session);
    if (isNew) this.missedStarts += id - 1;
    const known = this.#lastIds.get(session);
    this.session = session;
    // A session that comes back, as of two publishers that take turns: frames may be missing, none may come twice.
    if (known !== undefined && id <= known) {
      this.#follow(session, id, known);
      return;
    }
    this.starts.push({ session, sentMs, atMs });
    this.#awaitsVideo = true;
    this.#reached(session, id);
  }

  #beginTrack(kind: number, isSetUp: boolean): void {
    this.#begun.add(kind);
    if (isSetUp) return;
    this.badStarts += 1;
    this.#say(`track ${kind} began without decoder set-up`);
  }

  #follow(session: number, id: number, lastId: number): void {
    if (id > lastId) {
      if (id > lastId + 1) this.#lose(session, lastId + 1, id);
      this.#reached(session, id);
    } else if (this.#missing.get(session)?.delete(id)) {
      this.lost -= 1;
      this.disordered += 1;
      this.#say(`frame ${id} of session ${session} came after ${lastId}`);
    } else {
      this.duplicated += 1;
      this.#say(`frame ${id} of session ${session} came again, after ${lastId}`);
    }
  }

  #lose(session: number, from: number, to: number): void {
    const missing = this.#missing.get(session) ?? new Set<number>();
    this.#missing.set(session, missing);
    for (let id = from; id < to; id += 1) missing.add(id);
    this.lost += to - from;
    this.#say(`frames ${from} to ${to - 1} of session ${session} did not come`);
  }

  #reached(session: number, id: number): void {
    this.lastId = id;
    this.#lastIds.set(session, id);
  }

  #checkTime(kind: number, time: number): void {
    const last = this.#lastTimes.get(kind);
    const newest = Math.max(...this.#lastTimes.values());
    this.#lastTimes.set(kind, time);
    if (last === undefined) return;
    if (time < last) {
      this.backward += 1;
      this.#say(`time falls from ${last} to ${time} in track ${kind}`);
    } else if (time - newest > MAX_LEAP_MS) {
      this.leaps += 1;
      this.#say(`time leaps from ${newest} to ${time} in track ${kind}`);
    }
  }

  #say(what: string): void {
    if (this.words.length < MAX_WORDS) this.words.push(what);
  }
}

/** The longest of the waits between these arrivals that overlaps a window; ms. */
export function longestWait(arrivalsMs: readonly number[], fromMs: number, toMs: number): number {
  let longest = 0;
  let last = fromMs;
  for (let at = firstAfter(arrivalsMs, fromMs); ; at += 1) {
    const previous = arrivalsMs[at - 1];
    if (previous !== undefined) last = previous;
    const arrival = Math.min(arrivalsMs[at] ?? toMs, toMs);
    longest = Math.max(longest, arrival - last);
    if (arrival >= toMs) return longest;
  }
}

function firstAfter(arrivalsMs: readonly number[], ms: number): number {
  let low = 0;
  let high = arrivalsMs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((arrivalsMs[middle] ?? 0) > ms) high = middle;
    else low = middle + 1;
  }
  return low;
}
