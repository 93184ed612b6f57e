// HTTP-FLV in: POST or PUT /app/name.flv. The request's body is an FLV without an end; each tag goes to the
// publication as it is complete, and nothing else is kept.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Allowance } from '../base/allowance.ts';
import { type Clock, every } from '../base/clock.ts';
import { type Reason, TidewayError, WireError } from '../base/errors.ts';
import { markSession, remoteOfRequest } from '../base/marked-request.ts';
import type { SessionOf } from '../base/session-id.ts';
import { FlvReader, type FlvTag } from '../format/flv.ts';
import type { MemoryBudget } from '../media/memory-budget.ts';
import { type OpenPublication, PUBLISHER_STOPPED, type PublisherInlet } from '../media/publication.ts';
import { Unfinished } from '../media/unfinished.ts';
import { isStreamPath, streamKeyOf } from './flv-request.ts';

export interface FlvPublishOptions {
  /** A publisher that sends no byte for so long is ended, ms. */
  readonly idleMs: number;
}

export interface FlvPublishNeeds {
  readonly clock: Clock;
  readonly openPublication: OpenPublication;
  readonly sessionOf: SessionOf;
  readonly budget: Pick<MemoryBudget, 'charge' | 'isExhausted'>;
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
    const key = streamKeyOf(url);
    const session = this.#needs.sessionOf(url.searchParams);
    markSession(request, session);
    const upload = new Upload(request, this.#needs, this.#options);
    request.socket.setTimeout(0);
    if (request.headers.expect !== undefined) response.writeContinue();
    await upload.run(() =>
      this.#needs.openPublication({
        key,
        query: url.searchParams,
        ...{ protocol: 'http-flv', remote: remoteOfRequest(request), session },
        authorization: request.headers.authorization,
        ended: (why) => upload.fail(why),
      }),
    );
    response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' });
    response.end('published: the stream has ended\n');
  }
}

/**
 * One request's body on its way into a publication, which is opened once the body has shown to be an FLV: what is none
 * takes no stream from anybody. It is over once: finished, broken, idle, lost, displaced or too much for the node.
 */
class Upload {
  readonly #request: IncomingMessage;
  readonly #clock: Clock;
  readonly #idleMs: number;
  readonly #reader = new FlvReader();
  readonly #allowance = new Allowance();
  readonly #unfinished: Unfinished;
  #publication: PublisherInlet | undefined;
  /** Tags that came while the publication is opened: those of one read. */
  #early: readonly FlvTag[] | undefined;
  #lastByteMs: number;
  #failure: Reason | undefined;
  #settle: ((failure: Reason | undefined) => void) | undefined;

  constructor(request: IncomingMessage, { clock, budget }: FlvPublishNeeds, { idleMs }: FlvPublishOptions) {
    this.#request = request;
    this.#clock = clock;
    this.#idleMs = idleMs;
    this.#unfinished = new Unfinished(budget);
    this.#lastByteMs = clock.now();
  }

  /** Feeds the publication until the body ends, and ends it. Rejects with what broke it off. */
  async run(open: () => Promise<PublisherInlet>): Promise<void> {
    const failure = await this.#read(open);
    this.#publication?.end(failure ?? PUBLISHER_STOPPED);
    if (failure) throw asError(failure);
  }

  /** Breaks it off: nothing that the publisher sends is read any more. */
  fail(why: Reason): void {
    this.#failure ??= why;
    this.#settle?.(this.#failure);
  }

  async #read(open: () => Promise<PublisherInlet>): Promise<Reason | undefined> {
    const request = this.#request;
    if (request.destroyed) return LOST;
    const take = (bytes: Buffer) => this.#take(bytes, open);
    const lost = () => this.fail(LOST);
    const settled = new Promise<Reason | undefined>((resolve) => {
      this.#settle = resolve;
    });
    const checks = every(this.#clock, CHECK_MS, () => this.#check());
    request.on('data', take);
    request.once('end', () => this.#ended());
    request.once('error', lost);
    request.once('close', lost);
    try {
      return await settled;
    } finally {
      checks.cancel();
      this.#unfinished.clear();
      request.off('data', take);
    }
  }

  #take(bytes: Buffer, open: () => Promise<PublisherInlet>): void {
    if (this.#failure) return;
    this.#lastByteMs = this.#clock.now();
    try {
      const tags = this.#reader.push(bytes);
      this.#allowance.spend(1 + tags.length);
      if (this.#publication) append(this.#publication, tags);
      else if (this.#reader.hasHeader) void this.#open(open, tags);
    } catch (error) {
      this.fail(asError(error));
    }
    if (this.#allowance.isSpent) this.#request.pause();
  }

  /** Never rejects. The request is paused meanwhile, so nothing more comes. */
  async #open(open: () => Promise<PublisherInlet>, tags: readonly FlvTag[]): Promise<void> {
    this.#early = tags;
    this.#request.pause();
    try {
      const publication = await open();
      if (this.#failure) return publication.end(this.#failure);
      this.#publication = publication;
      append(publication, tags);
      this.#early = undefined;
      if (!this.#allowance.isSpent) this.#request.resume();
    } catch (error) {
      this.fail(asError(error));
    }
  }

  #ended(): void {
    if (this.#reader.isWhole) this.#settle?.(undefined);
    else this.fail(new WireError('flv.truncated', 'the body ended within the FLV header or within a tag'));
  }

  #check(): void {
    const wasSpent = this.#allowance.isSpent;
    this.#allowance.replenish(this.#clock.now());
    if (wasSpent && !this.#allowance.isSpent && !this.#early) this.#request.resume();
    const hog = this.#unfinished.hold(this.#reader.heldBytes);
    if (hog) this.fail(hog);
    const silentMs = this.#clock.now() - this.#lastByteMs;
    if (silentMs < this.#idleMs) return;
    this.fail({ code: 'publish.idle', message: `the publisher sent nothing for ${Math.round(silentMs)} ms` });
  }
}

function append(publication: PublisherInlet, tags: readonly FlvTag[]): void {
  for (const { kind, timestamp, payload } of tags) publication.append(kind, timestamp, payload);
}

function asError(why: unknown): TidewayError {
  if (why instanceof TidewayError) return why;
  return isReason(why) ? new TidewayError(why.code, why.message) : internal(why);
}

function isReason(why: unknown): why is Reason {
  return typeof why === 'object' && why !== null && !(why instanceof Error) && 'code' in why;
}

function internal(cause: unknown): TidewayError {
  return new TidewayError('http.internal', 'the node failed at this publish: see its log', {}, { cause });
}
