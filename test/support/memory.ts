// What memory a process holds once the garbage is gone.
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Heap and buffers in use after garbage collection, in bytes. */
export async function settledBytes(): Promise<number> {
  for (let round = 0; round < 3; round += 1) {
    await turn(); // finalizers of sockets and buffers run between turns
    collectGarbage();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** How much more memory was in use than before: bytes. */
export interface MemoryUse {
  /** At most, garbage included. */
  readonly peak: number;
  /** In the end, once the garbage is gone. */
  readonly after: number;
}

/** Runs it, and answers what memory it took. */
export async function memoryOf(run: () => Promise<void>): Promise<MemoryUse> {
  const before = await settledBytes();
  let peak = 0;
  const look = setInterval(() => {
    const { heapUsed, external } = process.memoryUsage();
    peak = Math.max(peak, heapUsed + external - before);
  }, 5);
  await run().finally(() => clearInterval(look));
  return { peak, after: (await settledBytes()) - before };
}

/** Figures for people who read the test's output. */
export function report(what: string, { peak, after }: MemoryUse): void {
  console.log(`${what}: memory +${mebibytes(after)} after, at most +${mebibytes(peak)} before collection`);
}
