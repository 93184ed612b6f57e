// HTTP-FLV in: POST or PUT /app/name.flv. The request's body is an FLV without an end; each tag goes to the
// publication as it is complete, and nothing else is kept.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Allowance } from '../base/allowance.ts';
import { type Clock, every } from '../base/clock.ts';
import { type Reason, TidewayError } from '../base/errors.ts';
import { remoteOf } from '../base/remote.ts';
import { FlvReader } from '../format/flv.ts';
import { type OpenPublication, PUBLISHER_STOPPED, type Publication } from '../media/publication.ts';
import { isStreamPath, streamKeyOf } from './flv-request.ts';

export interface FlvPublishOptions {
  /** A publisher that sends no byte for so long is ended, ms. */
  readonly idleMs: number;
}

export interface FlvPublishNeeds {
  readonly clock: Clock;
  readonly openPublication: OpenPublication;
}

const LOST: Reason = { code: 'publish.lost', message: 'the connection of the publisher is gone' };
const CHECK_MS = 250;

/** The route that HTTP-FLV publishers come in by. */
export class FlvPublishRoute {
  readonly methods = ['POST', 'PUT'];
  readonly matches = isStreamPath;
  readonly #options: FlvPublishOptions;
  readonly #needs: FlvPublishNeeds;

  constructor(options: FlvPublishOptions, needs: FlvPublishNeeds) {
    this.#options = options;
    this.#needs = needs;
  }

  /** Done when the publisher is; what ends it before its own end is thrown, and so told to it. */
  async handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const upload = new Upload(request, this.#needs.clock, this.#options.idleMs);
    request.socket.setTimeout(0);
    const publication = await this.#needs.openPublication({
      key: streamKeyOf(url),
      query: url.searchParams,
      protocol: 'http-flv',
      remote: remoteOf(request.socket),
      ended: (why) => upload.fail(why),
    });
    if (request.headers.expect !== undefined) response.writeContinue();
    await upload.feed(publication);
    response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' });
    response.end('published: the stream has ended\n');
  }
}

/** One request's body on its way into a publication. It is over once: finished, broken, idle, lost or displaced. */
class Upload {
  readonly #request: IncomingMessage;
  readonly #clock: Clock;
  readonly #idleMs: number;
  readonly #reader = new FlvReader();
  #lastByteMs: number;
  readonly #allowance = new Allowance();
  #failure: Reason | undefined;
  #settle: ((failure: Reason | undefined) => void) | undefined;

  constructor(request: IncomingMessage, clock: Clock, idleMs: number) {
    this.#request = request;
    this.#clock = clock;
    this.#idleMs = idleMs;
    this.#lastByteMs = clock.now();
  }

  /** Feeds the publication until the body ends, and ends it. Rejects with what broke it off. */
  async feed(publication: Publication): Promise<void> {
    const failure = this.#failure ?? (await this.#read(publication));
    publication.end(failure ?? PUBLISHER_STOPPED);
    if (failure)
      throw failure instanceof TidewayError ? failure : new TidewayError(failure.code, failure.message);
  }

  /** Breaks it off: nothing that the publisher sends is read any more. */
  fail(why: Reason): void {
    this.#failure ??= why;
    this.#settle?.(this.#failure);
  }

  async #read(publication: Publication): Promise<Reason | undefined> {
    const request = this.#request;
    if (request.destroyed) return LOST;
    const take = (bytes: Buffer) => this.#take(bytes, publication);
    const ended = () => this.#settle?.(undefined);
    const lost = () => this.fail(LOST);
    const settled = new Promise<Reason | undefined>((resolve) => {
      this.#settle = resolve;
    });
    this.#lastByteMs = this.#clock.now();
    const checks = every(this.#clock, CHECK_MS, () => this.#check());
    request.on('data', take);
    request.once('end', ended);
    request.once('error', lost);
    request.once('close', lost);
    try {
      return await settled;
    } finally {
      checks.cancel();
      request.off('data', take);
    }
  }

  #take(bytes: Buffer, publication: Publication): void {
    if (this.#failure) return;
    this.#lastByteMs = this.#clock.now();
    try {
      const tags = this.#reader.push(bytes);
      for (const { kind, timestamp, payload } of tags) publication.append(kind, timestamp, payload);
      this.#allowance.spend(tags.length);
      if (this.#allowance.isSpent) this.#request.pause();
    } catch (error) {
      this.fail(error instanceof TidewayError ? error : internal(error));
    }
  }

  #check(): void {
    const wasSpent = this.#allowance.isSpent;
    this.#allowance.replenish(this.#clock.now());
    if (wasSpent && !this.#allowance.isSpent) this.#request.resume();
    const silentMs = this.#clock.now() - this.#lastByteMs;
    if (silentMs < this.#idleMs) return;
    this.fail({ code: 'publish.idle', message: `the publisher sent nothing for ${Math.round(silentMs)} ms` });
  }
}

function internal(cause: unknown): TidewayError {
  return new TidewayError('http.internal', 'the node failed at this publish: see its log', {}, { cause });
}
