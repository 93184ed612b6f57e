// System programs run for a test: ffmpeg and others. Each is ended with the test, by id.
import { type ChildProcess, spawn } from 'node:child_process';

export interface ProgramResult {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** A program that runs; `done` resolves when it has ended, whatever its exit code. */
export class Program implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly done: Promise<ProgramResult>;
  #stdout: Buffer[] = [];
  #stderr = '';

  constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.on('data', (chunk: Buffer) => this.#stdout.push(chunk));
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-64 * 1024);
    });
    this.done = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code) =>
        resolve({ code, stdout: Buffer.concat(this.#stdout), stderr: this.#stderr }),
      );
    });
    this.done.catch(() => {});
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Asks it to end, as Ctrl-C does, and waits. */
  async interrupt(): Promise<ProgramResult> {
    this.#child.kill('SIGINT');
    return this.done;
  }

  /** Ends it the hard way, and waits. */
  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.done.catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/**
 * Runs a program to its end.
 * @throws Error with the end of its standard error when it fails
 */
export async function run(command: string, args: readonly string[]): Promise<ProgramResult> {
  const result = await new Program(command, args).done;
  if (result.code !== 0)
    throw new Error(`${command} ${args.join(' ')}: ${result.code}\n${result.stderr.slice(-2000)}`);
  return result;
}
