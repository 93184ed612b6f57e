// One POST to the webhook: to an address that was checked, within its time, of a bounded answer. It follows no redirect
// and keeps no connection.
import { lookup } from 'node:dns/promises';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { TidewayError } from '../base/errors.ts';
import type { WebhookTargets } from './webhook-targets.ts';

export interface Post {
  readonly url: URL;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  /** For all of it, from the name to the last byte of the answer, ms. */
  readonly timeoutMs: number;
}

export interface PostAnswer {
  readonly status: number;
  /** At most MAX_ANSWER_BYTES. */
  readonly body: Buffer;
}

export interface HostAddress {
  readonly address: string;
  readonly family: number;
}

export interface PostNeeds {
  readonly clock: Clock;
  readonly targets: Pick<WebhookTargets, 'allows'>;
  /** All addresses of a host name. */
  readonly resolve?: (host: string) => Promise<readonly HostAddress[]>;
}

const MAX_ANSWER_BYTES = 64 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;

/** Never told to clients: messages name the webhook's host. */
export class WebhookPoster {
  readonly #needs: PostNeeds;
  /** Look-ups under way, by host: one thread of the few waits for a name server that is slow. */
  readonly #lookups = new Map<string, Promise<readonly HostAddress[]>>();

  constructor(needs: PostNeeds) {
    this.#needs = needs;
  }

  /** @throws TidewayError `webhook.timeout`, `webhook.address`, `webhook.too-large`, `webhook.failed` */
  async post(post: Post): Promise<PostAnswer> {
    const { clock } = this.#needs;
    const over = new AbortController();
    const late = new TidewayError(
      'webhook.timeout',
      `the webhook did not answer within ${post.timeoutMs} ms`,
    );
    const timer = clock.after(post.timeoutMs, () => over.abort(late));
    try {
      return await raced(this.#send(post, over.signal), over.signal);
    } catch (cause) {
      if (cause instanceof TidewayError) throw cause;
      const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
      throw new TidewayError('webhook.failed', `the webhook can't be reached (${reason})`, {}, { cause });
    } finally {
      timer.cancel();
      over.abort(late);
    }
  }

  async #send(post: Post, signal: AbortSignal): Promise<PostAnswer> {
    const address = await this.#addressOf(hostOf(post.url));
    return exchange(post, address, signal);
  }

  /** Looked up once: the address that is checked is the one that is connected to. */
  async #addressOf(host: string): Promise<HostAddress> {
    const family = isIP(host);
    const found = family === 0 ? await this.#lookup(host) : [{ address: host, family }];
    const [first] = found;
    if (first === undefined || !found.every(({ address }) => this.#needs.targets.allows(address))) {
      const message =
        'the webhook is at an address of no public network: list its network in auth.webhook.allowNetworks';
      throw new TidewayError('webhook.address', message);
    }
    return first;
  }

  #lookup(host: string): Promise<readonly HostAddress[]> {
    const under = this.#lookups.get(host);
    if (under) return under;
    const found = (this.#needs.resolve ?? addressesOf)(host).finally(() => this.#lookups.delete(host));
    this.#lookups.set(host, found);
    return found;
  }
}

function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

function addressesOf(host: string): Promise<readonly HostAddress[]> {
  return lookup(host, { all: true });
}

function exchange({ url, body, headers }: Post, to: HostAddress, signal: AbortSignal): Promise<PostAnswer> {
  const always: LookupFunction = (_host, options, found) => {
    if (options.all) found(null, [{ ...to }]);
    else found(null, to.address, to.family);
  };
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? requestHttps : requestHttp;
    const options = {
      method: 'POST',
      lookup: always,
      agent: false,
      signal,
      maxHeaderSize: MAX_HEADER_BYTES,
    } as const;
    const length = { 'Content-Length': String(body.length), Connection: 'close' };
    const sent = send(url, { ...options, headers: { ...headers, ...length } }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        chunks.push(chunk);
        if (bytes <= MAX_ANSWER_BYTES) return;
        reject(
          new TidewayError('webhook.too-large', `the webhook answers with over ${MAX_ANSWER_BYTES} bytes`),
        );
        sent.destroy();
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
      response.on('error', reject);
      response.on('close', () => reject(new Error('the answer broke off')));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** The first of two: what is waited for, or the end of its time. */
function raced<T>(wait: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    wait.then(resolve, reject);
  });
}
