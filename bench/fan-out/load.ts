// The load as the cases see it: the publisher and the crowd, each a process of its own, asked by orders and ended with
// the case. It knows how to ask, never what is measured.
import { type ChildProcess, fork } from 'node:child_process';
import type { Cores } from './machine.ts';
import { pinned } from './machine.ts';
import type { CrowdOrder, CrowdReport, Failed, PublisherOrder, PublisherReport } from './orders.ts';

/** An order without its number, which the asking gives. */
type Unnumbered<Order> = Order extends unknown ? Omit<Order, 'id'> : never;

const ANSWER_WITHIN_MS = 30_000;
/** Of standard error, this much is kept. */
const ERROR_CHARS = 4_096;

interface Waiting {
  readonly resolve: (report: never) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** A forked process that answers each order once. */
export class Asked<Order extends { id: number }, Report extends { id: number }> implements AsyncDisposable {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #errors = '';

  /** @param file the compiled module, beside this one */
  constructor(file: string, core: number | undefined) {
    this.#name = file;
    const [execPath = process.execPath, ...execArgv] = pinned(core, [
      process.execPath,
      '--enable-source-maps',
    ]);
    this.#child = fork(new URL(file, import.meta.url), [], {
      ...{ execPath, execArgv },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child.stderr?.on('data', (bytes: Buffer) => {
      this.#errors = (this.#errors + bytes.toString()).slice(-ERROR_CHARS);
    });
    this.#child.on('message', (message) => this.#answer(message as Report | Failed));
    this.#gone = new Promise((resolve) => {
      this.#child.once('error', (error) => this.#end(error.message, resolve));
      this.#child.once('close', (code, signal) => this.#end(`ended with ${signal ?? code}`, resolve));
    });
  }

  /**
   * @throws Error when the process fails at it, ends, or does not answer in time
   */
  ask(order: Unnumbered<Order>, withinMs = ANSWER_WITHIN_MS): Promise<Report> {
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = new Promise<Report>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`${this.#name}: no answer within ${withinMs} ms to ${JSON.stringify(order)}`));
      }, withinMs);
      this.#waiting.set(id, { resolve, reject, timer });
    });
    this.#child.send({ ...order, id }, (error) => {
      if (error) this.#settle(id)?.reject(new Error(`${this.#name}: ${error.message} ${this.#errors}`));
    });
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#gone;
  }

  #answer(message: Report | Failed): void {
    const waiting = this.#settle(message.id);
    if ('failed' in message) waiting?.reject(new Error(`${this.#name}: ${message.failed}`));
    else waiting?.resolve(message as never);
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    clearTimeout(waiting?.timer);
    this.#waiting.delete(id);
    return waiting;
  }

  #end(how: string, resolve: () => void): void {
    for (const id of [...this.#waiting.keys()]) {
      this.#settle(id)?.reject(new Error(`${this.#name} ${how}: ${this.#errors}`));
    }
    resolve();
  }
}

export type Publisher = Asked<PublisherOrder, PublisherReport>;
export type Crowd = Asked<CrowdOrder, CrowdReport>;

export function forkPublisher(cores: Cores): Publisher {
  return new Asked('./publisher.js', cores.publisher);
}

export function forkCrowd(cores: Cores): Crowd {
  return new Asked('./crowd.js', cores.crowd);
}
