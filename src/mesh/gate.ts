// What a replica does with a run or a frame that one of its upstreams sends: pure. The epoch is the truth, and within
// one, the seq: nothing goes back, nothing comes twice, and what is missing is known (design §6).
import type { Run } from '../format/frame.ts';

/** The newest frame that a replica has, or knows to be dropped on purpose. */
export interface Place {
  readonly epoch: number;
  readonly seq: number;
}

/**
 * What a run means: `goes-on` no frame is missing before it; `splice` a new epoch, or the first; `gap` frames before
 * it are missing; `fenced` a higher epoch is known.
 */
export type RunVerdict = 'goes-on' | 'splice' | 'gap' | 'fenced';

export class Gate {
  #place: Place | undefined;

  /** Undefined before the first frame. */
  get place(): Place | undefined {
    return this.#place;
  }

  /** What an upstream's run is to what was delivered so far. */
  judge({ epoch, from }: Pick<Run, 'epoch' | 'from'>): RunVerdict {
    if (!this.#place || epoch > this.#place.epoch) return 'splice';
    if (epoch < this.#place.epoch) return 'fenced';
    return from <= this.#place.seq + 1 ? 'goes-on' : 'gap';
  }

  /** The run was taken: its frames are delivered from `from` on, unless they were before. */
  enter({ epoch, from }: Pick<Run, 'epoch' | 'from'>): void {
    if (this.judge({ epoch, from }) !== 'goes-on') this.#place = { epoch, seq: from - 1 };
  }

  /** Frames up to and with this seq were dropped on purpose: nobody waits for them. */
  skip(epoch: number, toSeq: number): void {
    if (this.#place?.epoch === epoch && toSeq > this.#place.seq) this.#place = { epoch, seq: toSeq };
  }

  /** Is a frame of a run that was taken to be delivered? It counts as delivered then. */
  pass(epoch: number, seq: number): boolean {
    if (!this.#place || epoch !== this.#place.epoch || seq <= this.#place.seq) return false;
    this.#place = { epoch, seq };
    return true;
  }
}
