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
