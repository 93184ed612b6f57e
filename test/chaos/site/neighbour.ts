// What takes the memory of a node's control group: another process in it, which leaves a few MiB of a limit that is not far.
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { MemoryGroup } from '../../support/memory-group.ts';
import { PROJECT_FOLDER } from '../../support/node-process.ts';
import { until } from '../../support/until.ts';

const BALLOON = join(PROJECT_FOLDER, 'test/chaos/site/balloon.mjs');
const MIB = 1 << 20;
/** The limit is so far from what is in use: enough for the neighbour's own program. */
const HEADROOM_BYTES = 160 * MIB;
/** What it leaves. */
const LEFT_BYTES = 8 * MIB;
/** With less it could not even begin, and be ended by the kernel again and again: the node took what there was by itself. */
const LEAST_BYTES = 64 * MIB;
const LOOK_EVERY_MS = 200;

export class Neighbour {
  readonly #group: MemoryGroup;
  #limitBytes: number | undefined;
  #balloon: ChildProcess | undefined;
  /** It was told to hold so much; undefined: it has not answered yet. */
  #heldBytes: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(group: MemoryGroup) {
    this.#group = group;
  }

  /** Resolves once little is left. */
  async squeeze(): Promise<void> {
    if (this.#limitBytes !== undefined) return;
    this.#limitBytes = this.#group.usedBytes + HEADROOM_BYTES;
    this.#group.limit(this.#limitBytes);
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#look();
    await until('the memory is nearly used up', () => this.#leftBytes < 2 * LEFT_BYTES);
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    this.#limitBytes = undefined;
    const balloon = this.#balloon;
    if (balloon && balloon.exitCode === null && balloon.signalCode === null) {
      const gone = new Promise((resolve) => balloon.once('close', resolve));
      balloon.kill('SIGKILL');
      await gone;
    }
    this.#balloon = undefined;
    this.#group.limit(undefined);
  }

  get #leftBytes(): number {
    return (this.#limitBytes ?? Number.POSITIVE_INFINITY) - this.#group.usedBytes;
  }

  /** What the node took since, the neighbour gives back, and the other way round. */
  #look(): void {
    if (this.#balloon === undefined && this.#leftBytes > LEAST_BYTES) this.#start();
    if (this.#heldBytes === undefined) return;
    const holdBytes = Math.max(0, this.#heldBytes + this.#leftBytes - LEFT_BYTES);
    if (Math.abs(holdBytes - this.#heldBytes) < MIB) return;
    this.#heldBytes = undefined;
    this.#balloon?.send({ holdBytes }, () => {}); // it may just have ended
  }

  #start(): void {
    const [command = '', ...args] = [...this.#group.prefix, process.execPath, '--expose-gc', BALLOON];
    const balloon = spawn(command, args, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], env: {} });
    this.#balloon = balloon;
    this.#heldBytes = undefined;
    balloon.on('message', ({ heldBytes }: { heldBytes: number }) => {
      this.#heldBytes = heldBytes;
    });
    // The node needed more than was left, and the kernel ended it: another takes what the node does not.
    balloon.once('close', () => {
      if (this.#balloon === balloon) this.#balloon = undefined;
    });
    balloon.send({ holdBytes: 0 }, () => {});
  }
}
