// What the benchmark asks of everything that it compares: start on a core, say where it is and which processes it is, end.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { until } from '../../../test/support/until.ts';
import { pinned } from '../machine.ts';
import type { WireFormat } from '../orders.ts';

export const SUBJECTS = ['tideway', 'floor-node', 'floor-c', 'node-media-server', 'nginx-rtmp'] as const;
export type SubjectName = (typeof SUBJECTS)[number];

export interface StartOptions {
  /** The core it may use; undefined: any. */
  readonly core: number | undefined;
  /** A folder of its own, removed after the run. */
  readonly folder: string;
  /** Flags by key path, for tideway: `{ 'player.stallMs': '3000' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The folder of another build of tideway. */
  readonly build?: string;
  /** The flushes that a floor replays: a file, see flush-record.ts. */
  readonly record?: string;
}

export interface Subject {
  readonly name: SubjectName;
  /** Why it can't run here, and what to install; undefined: it can. */
  missing(): string | undefined;
  /** Resolves once it listens. */
  start(options: StartOptions): Promise<RunningSubject>;
}

/** A server under test. */
export interface RunningSubject extends AsyncDisposable {
  /** Of all its processes. */
  readonly pids: readonly number[];
  /** Where publishers go, without the stream's name: `rtmp://127.0.0.1:1935/live`; a floor has none. */
  readonly publishUrl: string | undefined;
  /** Where players of a format go: `127.0.0.1:8080`. */
  at(format: WireFormat): string;
}

const START_WITHIN_MS = 15_000;
const END_WITHIN_MS = 3_000;
/** Of what it writes, this much is kept. */
const OUTPUT_CHARS = 16_384;

/** A server's process, and all lines that it writes. */
export class ServerProcess implements AsyncDisposable {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #gone: Promise<unknown>;
  #rest = '';
  #output = '';
  #error: Error | undefined;

  constructor(
    name: string,
    command: readonly string[],
    options: {
      readonly core: number | undefined;
      readonly env?: Readonly<Record<string, string>>;
      readonly onLine?: (line: string) => void;
    },
  ) {
    const { core, env, onLine } = options;
    const { PATH = '', HOME = '' } = process.env;
    const [program = '', ...args] = pinned(core, command);
    this.#name = name;
    this.#child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH, HOME, ...env },
    });
    this.#gone = new Promise<void>((resolve) => {
      this.#child.once('close', () => resolve());
      this.#child.once('error', (error) => {
        this.#error = error;
        resolve();
      });
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (bytes: Buffer) => {
        this.#output = (this.#output + bytes.toString()).slice(-OUTPUT_CHARS);
      });
    }
    this.#child.stdout?.on('data', (bytes: Buffer) => {
      const lines = (this.#rest + bytes.toString()).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) onLine?.(line);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /**
   * Resolves with the first answer of `look` that is something.
   * @throws Error with the end of its output when it ends before
   */
  until<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
    return until(
      `${this.#name} ${what}`,
      () => {
        if (this.#error) throw this.#error;
        if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
          throw new Error(`${this.#name} ended: ${this.#output}`);
        }
        return look();
      },
      START_WITHIN_MS,
    );
  }

  /** Resolves once something listens at its port. */
  async listens(port: number): Promise<void> {
    await this.until('listens', async () => (await isOpen(port)) || undefined);
  }

  /** Asks it to end by a signal; kills it when it does not in time. */
  async end(signal: NodeJS.Signals): Promise<void> {
    this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), END_WITHIN_MS);
    await this.#gone;
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
  }
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
