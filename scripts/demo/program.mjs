// One program that the demo started: its log, its last words, its end.
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';

const END_WITHIN_MS = 8_000;

/** A mistake of the person's, or something that is not there: its message is all there is to say. */
export class DemoError extends Error {}

/** It has a process group of its own, so that Ctrl-C reaches it only through the demo. */
export class Program {
  #log;
  #child;

  /** @param folder where its output goes, to `<name>.log` */
  constructor(name, command, args, { folder, env = process.env }) {
    this.name = name;
    this.lastLine = '';
    this.isGone = false;
    this.#log = createWriteStream(join(folder, `${name}.log`), { flags: 'a' });
    this.#child = spawn(command, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.pipe(this.#log, { end: false });
      stream.setEncoding('utf8').on('data', (text) => {
        this.lastLine = text.trimEnd().split('\n').at(-1) ?? '';
      });
    }
    /** Resolves with why it is gone. */
    this.gone = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message));
      this.#child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    }).then((why) => {
      this.isGone = true;
      this.#log.end();
      return why;
    });
  }

  get pid() {
    return this.#child.pid;
  }

  /** Asks it to end, also if it was made to stand still (SIGSTOP); ends it if it does not. */
  async end() {
    if (!this.isGone) {
      this.#child.kill('SIGTERM');
      this.#child.kill('SIGCONT');
    }
    const timer = setTimeout(() => this.kill(), END_WITHIN_MS);
    await this.gone;
    clearTimeout(timer);
  }

  kill() {
    if (!this.isGone) this.#child.kill('SIGKILL');
  }
}
