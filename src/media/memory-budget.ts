// One budget for all frame logs of a node. It counts; the logs shed depth, and the node refuses new publishers.

/** The door lets nobody in beyond the limit, but those who are in go on growing. */
const EXHAUSTED_SHARE = 1.25;

/** Bytes that the frame logs of a node may hold together. */
export class MemoryBudget {
  readonly limitBytes: number;
  #usedBytes = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Over it, logs keep only their newest GOP, and no new publication is taken. */
  get isOver(): boolean {
    return this.#usedBytes > this.limitBytes;
  }

  /** Close to it: players that are behind are closed. */
  get closesSlow(): boolean {
    return this.#usedBytes > this.limitBytes * 0.92;
  }

  /** Far over it: logs let go of their newest GOP, too, as far as they must. */
  get isExhausted(): boolean {
    return this.#usedBytes > this.limitBytes * EXHAUSTED_SHARE;
  }

  take(bytes: number): void {
    this.#usedBytes += bytes;
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}
