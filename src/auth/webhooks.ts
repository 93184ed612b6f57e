// What an operator's own server is asked and told: may this publisher or player have the stream, and that it is over. The
// words are those that users of SRS know. Bounded in all: calls at once, calls that wait, answers that are remembered.
import { createHmac } from 'node:crypto';
import { hostOf } from '../base/address.ts';
import { AddressCount } from '../base/address-count.ts';
import type { Clock } from '../base/clock.ts';
import { TidewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Table } from '../base/table.ts';
import { plainAddress } from './networks.ts';
import type { Action } from './rules.ts';
import { type Call, type End, type Question, WebhookLanes } from './webhook-lanes.ts';
import type { Post, PostAnswer } from './webhook-post.ts';

/** Who the server is asked or told about. */
export interface WebhookSubject {
  readonly key: StreamKey;
  readonly protocol: string;
  /** "address:port" */
  readonly remote: string;
  readonly session: string;
}

/** The operator's own server, and what its answers count. */
export interface WebhookServer {
  readonly url: string;
  /** Signs what is sent. */
  readonly secret: string;
  /** What a player gets when the server fails; publishers are refused then. */
  readonly playOnFailure: 'allow' | 'deny';
  /** How long a yes counts for the same question, unless the answer says, ms. */
  readonly allowCacheMs: number;
  /** How long a no does, ms. */
  readonly denyCacheMs: number;
  readonly post: (post: Post) => Promise<PostAnswer>;
}

export interface WebhookNeeds {
  readonly clock: Clock;
  readonly log: Log;
  /** Id of this node. */
  readonly node: string;
}

type Verdict = 'allowed' | 'denied' | 'failed';

/** For the whole of a question, the wait for its turn included, ms. */
const TIMEOUT_MS = 2_000;
/** Of publishers, and of players: questions of one address (IPv6: of one /64) that are not answered yet. */
const MAX_OF_ADDRESS = 16;
const MAX_REMEMBERED = 10_000;
/** The longest that an answer may ask to be remembered, s. */
const MAX_TTL_S = 300;
const MAX_PARAM_CHARS = 2_048;
/** One line about failures in so long, ms. */
const TELL_EVERY_MS = 10_000;
/** Of the query, what is for this node and secret. */
const OWN_PARAMETER = /^(tw_.*|key)$/i;

/** What the server is asked or told. */
interface Said<C extends Call = Call> {
  readonly call: C;
  readonly subject: WebhookSubject;
  readonly param: string;
}

export class Webhooks {
  readonly #needs: WebhookNeeds;
  /** Undefined: there never was one. */
  #server: WebhookServer | undefined;
  readonly #lanes: WebhookLanes;
  /** Whose questions they are that are not answered yet. */
  readonly #askers: Readonly<Record<Question, AddressCount>> = {
    on_publish: new AddressCount(),
    on_play: new AddressCount(),
  };
  /** Questions that the server is asked now. Bounded by the lanes. */
  #asking = new Map<string, Promise<Verdict>>();
  /** What it said, the oldest first; at most MAX_REMEMBERED. */
  #remembered = new Map<string, { readonly verdict: Verdict; readonly untilMs: number }>();
  #toldMs = Number.NEGATIVE_INFINITY;
  #untold = 0;
  readonly #counts = new Map<string, { readonly call: Call; readonly result: string; count: number }>();

  constructor(server: WebhookServer | undefined, needs: WebhookNeeds) {
    this.#server = server;
    this.#needs = needs;
    this.#lanes = new WebhookLanes(needs.clock);
  }

  /** Asks and tells this one from now on. What another said counts no more; who asked it already goes by its answer. */
  use(server: WebhookServer): void {
    this.#server = server;
    this.#asking = new Map();
    this.#remembered = new Map();
  }

  /**
   * Asks whether somebody may have a stream. The same question is asked once at a time, and its answer remembered.
   * @throws TidewayError `auth.webhook-denied`, `auth.webhook-failed`, `auth.too-many-from-address`
   */
  async check(action: Action, subject: WebhookSubject, query: URLSearchParams): Promise<void> {
    const server = this.#server;
    if (!server) throw failure();
    const call: Question = action === 'publish' ? 'on_publish' : 'on_play';
    const param = paramOf(query);
    const question = JSON.stringify([call, subject.key, addressOf(subject), subject.protocol, param]);
    const verdict =
      this.#recall(question) ?? (await this.#askOnce(question, server, { call, subject, param }));
    if (verdict === 'allowed') return;
    if (verdict === 'denied') {
      throw new TidewayError(
        'auth.webhook-denied',
        `the operator's server says no to ${action} ${subject.key}`,
      );
    }
    if (action === 'play' && server.playOnFailure === 'allow') return;
    throw failure();
  }

  /** Tells that somebody who had a stream has it no more. Nobody waits for it; never throws. */
  ended(action: Action, subject: WebhookSubject): void {
    const call: End = action === 'publish' ? 'on_unpublish' : 'on_stop';
    if (this.#server) void this.#call(this.#server, { call, subject, param: '' });
  }

  get tables(): Table[] {
    return [
      ...this.#lanes.tables,
      { table: 'webhook_publish_addresses', entries: this.#askers.on_publish.size, limit: undefined },
      { table: 'webhook_play_addresses', entries: this.#askers.on_play.size, limit: undefined },
      // It forgets the oldest, and so may be full: that is no trouble.
      { table: 'webhook_answers', entries: this.#remembered.size, limit: undefined },
    ];
  }

  /** How often what was called came out how. */
  get counts() {
    return [...this.#counts.values()];
  }

  #recall(question: string): Verdict | undefined {
    const known = this.#remembered.get(question);
    if (known && known.untilMs > this.#needs.clock.now()) return known.verdict;
    this.#remembered.delete(question);
    return undefined;
  }

  /** @throws TidewayError `auth.too-many-from-address` */
  #askOnce(question: string, server: WebhookServer, said: Said<Question>): Promise<Verdict> {
    const asking = this.#asking;
    const under = asking.get(question);
    if (under) return under;
    const askers = this.#askers[said.call];
    const address = addressOf(said.subject);
    if (askers.of(address) >= MAX_OF_ADDRESS) throw tooMany();
    askers.add(address);
    const asked = this.#call(server, said).then(({ verdict, ttlMs }) => {
      askers.remove(address);
      asking.delete(question);
      const isOfNow = server === this.#server;
      if (isOfNow && ttlMs > 0) this.#remember(question, verdict, this.#needs.clock.now() + ttlMs);
      return verdict;
    });
    asking.set(question, asked);
    return asked;
  }

  #remember(question: string, verdict: Verdict, untilMs: number): void {
    this.#remembered.set(question, { verdict, untilMs });
    for (const oldest of this.#remembered.keys()) {
      if (this.#remembered.size <= MAX_REMEMBERED) break;
      this.#remembered.delete(oldest);
    }
  }

  /** Never rejects. */
  async #call(server: WebhookServer, said: Said): Promise<{ verdict: Verdict; ttlMs: number }> {
    const { clock } = this.#needs;
    const { call } = said;
    const untilMs = clock.now() + TIMEOUT_MS;
    try {
      return await this.#lanes.run(call, TIMEOUT_MS, async () => {
        const timeoutMs = Math.max(1, untilMs - clock.now());
        const answer = await server.post(this.#postOf(server, said, timeoutMs));
        const read = readAnswer(answer, server);
        this.#count(call, isEnd(call) ? 'told' : read.verdict);
        return read;
      });
    } catch (error) {
      this.#failed(call, error);
      return { verdict: 'failed', ttlMs: 0 };
    }
  }

  #postOf({ url, secret }: WebhookServer, { call, subject, param }: Said, timeoutMs: number): Post {
    const { clock, node } = this.#needs;
    const [app = '', stream = ''] = subject.key.split('/');
    const body = Buffer.from(
      JSON.stringify({
        action: call,
        ...{ server_id: node, client_id: subject.session, ip: addressOf(subject), vhost: '__defaultVhost__' },
        ...{ app, stream, stream_url: `/${subject.key}`, param, protocol: subject.protocol },
      }),
    );
    const atS = Math.floor(clock.wallMs() / 1000);
    const signature = createHmac('sha256', secret).update(`${atS}.`).update(body).digest('hex');
    const headers = {
      'Content-Type': 'application/json',
      'X-Tideway-Signature': `t=${atS},v1=${signature}`,
    };
    return { url: new URL(url), body, headers, timeoutMs };
  }

  #failed(call: Call, error: unknown): void {
    const known = error instanceof TidewayError ? error : undefined;
    const code = known?.code ?? 'webhook.failed';
    this.#count(call, code);
    const nowMs = this.#needs.clock.now();
    if (nowMs - this.#toldMs < TELL_EVERY_MS) {
      this.#untold += 1;
      return;
    }
    const detail = known?.message ?? 'an error in the node itself';
    this.#needs.log.warn({ call, code, detail, suppressed: this.#untold }, 'webhook.failed');
    this.#toldMs = nowMs;
    this.#untold = 0;
  }

  #count(call: Call, result: string): void {
    const name = `${call} ${result}`;
    const known = this.#counts.get(name) ?? { call, result, count: 0 };
    known.count += 1;
    this.#counts.set(name, known);
  }
}

/** What it says to these changes nothing. */
function isEnd(call: Call): boolean {
  return call === 'on_unpublish' || call === 'on_stop';
}

function failure(): TidewayError {
  return new TidewayError(
    'auth.webhook-failed',
    "the operator's server can't be asked: try again in a moment",
  );
}

function tooMany(): TidewayError {
  return new TidewayError(
    'auth.too-many-from-address',
    `the operator's server is asked ${MAX_OF_ADDRESS} questions of this address already: try again in a moment`,
  );
}

/**
 * Yes is 200 with `0` or `{"code": 0}`; no is 200 with another code, 401 or 403. All else is a failure.
 * @throws TidewayError `webhook.status`, `webhook.answer`
 */
function readAnswer(
  { status, body }: PostAnswer,
  { allowCacheMs, denyCacheMs }: WebhookServer,
): { verdict: Verdict; ttlMs: number } {
  if (status === 401 || status === 403) return { verdict: 'denied', ttlMs: denyCacheMs };
  if (status !== 200)
    throw new TidewayError('webhook.status', `the webhook answers with the status ${status}`);
  const { code, ttlMs } = answerOf(body);
  const verdict = code === 0 ? 'allowed' : 'denied';
  return { verdict, ttlMs: ttlMs ?? (code === 0 ? allowCacheMs : denyCacheMs) };
}

/** @throws TidewayError `webhook.answer` */
function answerOf(body: Buffer): { readonly code: number; readonly ttlMs: number | undefined } {
  const document = parsed(body);
  if (typeof document === 'number') return { code: document, ttlMs: undefined };
  const { code, ttl } =
    typeof document === 'object' && document !== null ? (document as Answer) : ({} as Answer);
  if (typeof code !== 'number') throw unreadable();
  if (ttl === undefined) return { code, ttlMs: undefined };
  if (typeof ttl !== 'number' || !(ttl >= 0 && ttl <= MAX_TTL_S)) throw unreadable();
  return { code, ttlMs: ttl * 1000 };
}

interface Answer {
  readonly code?: unknown;
  readonly ttl?: unknown;
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw unreadable();
  }
}

function unreadable(): TidewayError {
  const message = `the webhook's answer is neither 0 nor {"code": 0}, with a ttl of at most ${MAX_TTL_S} s`;
  return new TidewayError('webhook.answer', message);
}

function addressOf({ remote }: WebhookSubject): string {
  return plainAddress(hostOf(remote));
}

/** The query as SRS tells it, with the `?`; without what is for this node. */
function paramOf(query: URLSearchParams): string {
  const kept = new URLSearchParams([...query].filter(([name]) => !OWN_PARAMETER.test(name))).toString();
  return kept === '' ? '' : `?${kept}`.slice(0, MAX_PARAM_CHARS);
}
