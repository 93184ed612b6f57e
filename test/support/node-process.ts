// One node as operators run it: a process of its own, started by its command line, seen from outside: its log lines, its
// ports, its answers over HTTP, and the signals that it gets.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { get } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LogLine } from './running-node.ts';
import { secretsOf } from './secret-settings.ts';
import { secretScan } from './secrets.ts';
import { until } from './until.ts';

/** The checkout, also when this file was compiled to another folder. */
export const PROJECT_FOLDER = projectFolder(dirname(fileURLToPath(import.meta.url)));

export interface NodeProcessOptions {
  readonly id: string;
  /** Flags by key path: `{ 'relay.softChildren': '1' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where it listens, and is asked; 127.0.0.1 unless told. */
  readonly host?: string;
  /** Address of this machine that its own connections come from. */
  readonly dialFrom?: string;
  /** What its command line begins with; it has to hand the process over (exec), so that the pid is the node's. */
  readonly prefix?: readonly string[];
  /** Of its environment; else it gets the least. */
  readonly env?: Readonly<Record<string, string>>;
  /** Modules that are loaded before its program. They hear what it is told (`tell`), as messages of its parent. */
  readonly preloads?: readonly string[];
}

const DIAL_FROM = join(PROJECT_FOLDER, 'test/support/dial-from.mjs');
const START_WITHIN_MS = 15_000;
const STOP_WITHIN_MS = 10_000;
/** Of standard error, this much is kept. */
const ERROR_CHARS = 16_384;

export class NodeProcess implements AsyncDisposable {
  readonly id: string;
  readonly host: string;
  readonly dialFrom: string | undefined;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #prefix: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  readonly #preloads: readonly string[];
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  /** Of all its lives. */
  readonly lines: LogLine[] = [];
  /** Where in `lines` this life began. */
  #lifeStart = 0;
  #rest = '';
  #errors = '';

  constructor(options: NodeProcessOptions) {
    const { id, settings = {}, host = '127.0.0.1', dialFrom, prefix = [], env = {}, preloads = [] } = options;
    this.id = id;
    this.host = host;
    this.dialFrom = dialFrom;
    this.#settings = settings;
    this.#prefix = prefix;
    this.#env = env;
    this.#preloads = preloads;
    secretScan.use(...secretsOf(settings));
  }

  /** Starts it; resolves once it listens. */
  async start(): Promise<void> {
    if (this.isRunning) throw new Error(`node ${this.id} runs already`);
    this.#lifeStart = this.lines.length;
    this.#rest = '';
    this.#follow(this.#spawn());
    await until(
      `node ${this.id} listens`,
      () => {
        if (!this.isRunning) throw new Error(`node ${this.id} did not start: ${this.#errors}`);
        return this.#started;
      },
      START_WITHIN_MS,
    );
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** The end of what it wrote to standard error, in all its lives. */
  get errors(): string {
    return this.#errors;
  }

  get rtmpPort(): number {
    return this.#portOf('rtmpPort');
  }

  get httpPort(): number {
    return this.#portOf('httpPort');
  }

  /** 0: it has no mesh. */
  get meshPort(): number {
    return this.#portOf('meshPort');
  }

  rtmpUrl(key: string): string {
    return `rtmp://${this.host}:${this.rtmpPort}/${key}`;
  }

  flvUrl(key: string): string {
    return `http://${this.host}:${this.httpPort}/${key}.flv`;
  }

  wsUrl(key: string): string {
    return `ws://${this.host}:${this.httpPort}/${key}.flv`;
  }

  /** Its log lines of one event, of all its lives. */
  events(event: string): LogLine[] {
    return this.lines.filter((line) => line.event === event);
  }

  /** Resolves once `/readyz` says yes. */
  async ready(withinMs = START_WITHIN_MS): Promise<void> {
    await until(`node ${this.id} is ready`, async () => (await this.get('/readyz')).status === 200, withinMs);
  }

  /** Asks it over HTTP; status 0: no answer. */
  get(path: string, withinMs = 2_000): Promise<{ readonly status: number; readonly body: string }> {
    return new Promise((resolve) => {
      const none = () => resolve({ status: 0, body: '' });
      const url = `http://${this.host}:${this.httpPort}${path}`;
      const token = this.#settings['api.token'];
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const asked = get(url, { agent: false, timeout: withinMs, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
        );
        response.on('error', none);
      });
      asked.on('timeout', () => asked.destroy());
      asked.on('error', none);
      asked.on('close', none);
    });
  }

  /**
   * What its JSON API answers.
   * @throws Error when it is not a 200
   */
  async api(path: string): Promise<unknown> {
    const { status, body } = await this.get(path);
    if (status !== 200)
      throw new Error(`node ${this.id} answered ${path} by ${status} ${body.slice(0, 200)}`);
    return JSON.parse(body);
  }

  /** The sum of a metric over all its labels that contain `labels`, `format="rtmp"`; undefined: it has none. */
  async metric(name: string, labels = ''): Promise<number | undefined> {
    const { body } = await this.get('/metrics');
    const values = body
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || (line.startsWith(`${name}{`) && line.includes(labels)))
      .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)));
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
  }

  /** Says something to its preloads. */
  tell(message: object): void {
    if (this.isRunning) this.#child?.send(message, () => {}); // one that ends meanwhile need not hear it
  }

  /** It stops doing anything, and keeps all connections. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** kill -9, paused or not; resolves once it is gone. */
  async kill(): Promise<void> {
    if (this.isRunning) this.#child?.kill('SIGKILL');
    await this.#exited;
  }

  /** Asks it to end, and waits; one that does not is killed. */
  async stop(): Promise<void> {
    this.#child?.kill('SIGTERM');
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), STOP_WITHIN_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #spawn(): ChildProcess {
    const preloads = this.dialFrom ? [...this.#preloads, DIAL_FROM] : this.#preloads;
    const settings = {
      ...{ host: this.host, 'node.id': this.id, 'rtmp.port': '0', 'http.port': '0', 'mesh.port': '0' },
      // A busy machine would make some nodes better than others.
      'route.redirect': 'never',
      ...this.#settings,
    };
    const flags = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]);
    const { PATH = '', HOME = '' } = process.env;
    const [command = '', ...args] = [
      ...this.#prefix,
      process.execPath,
      ...preloads.flatMap((file) => ['--import', file]),
      ...[join(PROJECT_FOLDER, 'bin/tideway.js'), 'start', ...flags],
    ];
    return spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe', ...(this.#preloads.length > 0 ? (['ipc'] as const) : [])],
      env: { PATH, HOME, DIAL_FROM: this.dialFrom, ...this.#env },
    });
  }

  /** Takes in what it writes, up to its end. */
  #follow(child: ChildProcess): void {
    this.#child = child;
    child.stdout?.on('data', (bytes: Buffer) => this.#read(bytes));
    child.stderr?.on('data', (bytes: Buffer) => {
      this.#errors = (this.#errors + bytes.toString()).slice(-ERROR_CHARS);
    });
    this.#exited = new Promise((resolve) => {
      child.once('close', () => {
        // What it did not come to end, and what is no log.
        secretScan.line(this.#rest);
        secretScan.output(this.#errors);
        resolve();
      });
    });
  }

  get #started(): LogLine | undefined {
    return this.lines.findLast(({ event }, at) => at >= this.#lifeStart && event === 'node.start');
  }

  #portOf(name: string): number {
    return Number(this.#started?.[name] ?? 0);
  }

  #read(bytes: Buffer): void {
    const lines = (this.#rest + bytes.toString()).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      secretScan.line(line);
      if (line.startsWith('{')) this.lines.push(JSON.parse(line));
    }
  }
}

function projectFolder(folder: string): string {
  if (existsSync(join(folder, 'bin/tideway.js'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error('this is no checkout of the project');
  return projectFolder(parent);
}
