// How large the buffers are that are made, while this is on. It stands in front of Buffer's own makers: one at a time.
const MAKERS = ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const;

export class AllocationMeter {
  /** The largest buffer since `reset`, bytes. */
  largestBytes = 0;
  readonly #undo: readonly (() => void)[];

  constructor() {
    this.#undo = MAKERS.map((name) => {
      const own = Buffer[name];
      Buffer[name] = (size: number, ...rest: []) => {
        if (size > this.largestBytes) this.largestBytes = size;
        return own.call(Buffer, size, ...rest);
      };
      return () => {
        Buffer[name] = own;
      };
    });
  }

  reset(): void {
    this.largestBytes = 0;
  }

  stop(): void {
    for (const undo of this.#undo) undo();
  }
}
