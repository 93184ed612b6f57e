// Tideway itself, as its command line starts it for an operator; its flushes recorded, and why it closed players, on demand.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { FlushEvent } from '../../../src/media/flush-events.ts';
import { PROJECT_FOLDER } from '../../../test/support/node-process.ts';
import type { WireFormat } from '../orders.ts';
import { type RunningSubject, ServerProcess, type StartOptions, type Subject } from './subject.ts';

const PROGRAM = 'bin/tideway.js';
const RECORDER = fileURLToPath(new URL('../record-flushes.js', import.meta.url));
const ASK_WITHIN_MS = 2_000;

interface NodeStart {
  readonly rtmpPort: number;
  readonly httpPort: number;
  readonly meshPort: number;
}

/** A node that runs. */
export class TidewayServer implements RunningSubject {
  readonly #process: ServerProcess;
  readonly #recordPath: string;
  readonly #closed = new Map<string, number>();
  #start: NodeStart = { rtmpPort: 0, httpPort: 0, meshPort: 0 };

  private constructor({ core, folder, settings = {}, build = PROJECT_FOLDER }: StartOptions) {
    this.#recordPath = join(folder, 'flushes.json');
    const flags = {
      ...{ host: '127.0.0.1', 'rtmp.port': '0', 'http.port': '0', 'mesh.port': '0' },
      ...settings,
    };
    this.#process = new ServerProcess(
      'tideway',
      [
        ...[process.execPath, '--import', RECORDER, join(build, PROGRAM), 'start'],
        ...Object.entries(flags).flatMap(([key, value]) => [`--${key}`, value]),
      ],
      { core, env: { BENCH_FLUSH_FILE: this.#recordPath }, onLine: (line) => this.#read(line) },
    );
  }

  static async start(options: StartOptions): Promise<TidewayServer> {
    const server = new TidewayServer(options);
    try {
      await server.#process.until('listens', () => (server.#start.rtmpPort > 0 ? true : undefined));
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  get pids(): readonly number[] {
    return [this.#process.pid];
  }

  get publishUrl(): string {
    return `rtmp://127.0.0.1:${this.#start.rtmpPort}/live`;
  }

  at(format: WireFormat): string {
    return `127.0.0.1:${format === 'rtmp' ? this.#start.rtmpPort : this.#start.httpPort}`;
  }

  /** How many players it has closed so far, by the reason that it gave. */
  get closed(): ReadonlyMap<string, number> {
    return this.#closed;
  }

  /** Records its flushes for a time. */
  async recordFlushes(ms: number): Promise<FlushEvent[]> {
    rmSync(this.#recordPath, { force: true }); // of an earlier run
    this.#process.signal('SIGUSR2');
    await delay(ms);
    this.#process.signal('SIGUSR2');
    await this.#process.until('has written its flushes', () => existsSync(this.#recordPath) || undefined);
    return JSON.parse(readFileSync(this.#recordPath, 'utf8'));
  }

  /** A metric without labels, or the sum over all of them; 0: it has none. */
  async metric(name: string): Promise<number> {
    const { body } = await this.#get('/metrics');
    return body
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }

  #read(line: string): void {
    if (!line.startsWith('{')) return;
    const entry = JSON.parse(line);
    if (entry.event === 'node.start') this.#start = entry;
    if (entry.event === 'play.end') {
      this.#closed.set(entry.reason, (this.#closed.get(entry.reason) ?? 0) + 1);
    }
  }

  #get(path: string): Promise<{ readonly status: number; readonly body: string }> {
    return new Promise((resolve, reject) => {
      const url = `http://${this.at('http-flv')}${path}`;
      const asked = get(url, { agent: false, timeout: ASK_WITHIN_MS }, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => {
          body += chunk.toString();
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
        response.on('error', reject);
      });
      asked.on('timeout', () => asked.destroy(new Error(`${path}: no answer in ${ASK_WITHIN_MS} ms`)));
      asked.on('error', reject);
    });
  }
}

export const tideway: Subject = {
  name: 'tideway',
  missing: () => undefined,
  start: TidewayServer.start,
};
