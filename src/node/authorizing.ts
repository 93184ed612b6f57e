// How this node lets publishers and players in, by the configuration as it is now, and what is counted of it.
import { readFileSync, statSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { type AuthOptions, Authorizer } from '../auth/authorizer.ts';
import { type JwtKey, publicKey, sharedKey } from '../auth/jwt.ts';
import { WebhookPoster } from '../auth/webhook-post.ts';
import { WebhookTargets } from '../auth/webhook-targets.ts';
import { type WebhookServer, Webhooks } from '../auth/webhooks.ts';
import type { Clock } from '../base/clock.ts';
import { TidewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Config } from '../config/schema.ts';
import { counter, type MetricFamily } from '../observe/metrics.ts';
import type { Prepared } from './settings.ts';

export interface AuthorizingNeeds {
  readonly clock: Clock;
  readonly log: Log;
  /** Registry time, or what comes nearest to it. */
  readonly wallMs: () => number;
}

const KEY_FILE = 'auth.jwt.publicKeyFile';
/** Keys are far smaller. */
const MAX_KEY_FILE_BYTES = 64 * 1024;

/** What the configuration and the file of its key say. */
interface Policy {
  readonly options: AuthOptions;
  readonly webhook: Config['auth']['webhook'];
  /** Of the file. */
  readonly keyText: string | undefined;
}

export class Authorizing {
  readonly authorizer: Authorizer;
  readonly webhooks: Webhooks;
  readonly #needs: AuthorizingNeeds;
  #policy: Policy;

  /** @throws TidewayError `auth.key` if the file of the public key is of no use */
  constructor(config: Config, needs: AuthorizingNeeds) {
    const { clock, log, wallMs } = needs;
    this.#needs = needs;
    this.#policy = policyOf(config);
    this.webhooks = new Webhooks(this.#serverOf(this.#policy), { clock, log, node: config.node.id });
    this.authorizer = new Authorizer(this.#policy.options, { wallMs, webhooks: this.webhooks });
  }

  /**
   * Makes another configuration ready, with the file of its key as it is now. Once it is taken, who comes is judged by it;
   * who is in stays in.
   * @throws TidewayError `auth.key`
   */
  prepare(config: Config): Prepared {
    const before = this.#policy;
    const policy = policyOf(config);
    const isKeyNew = policy.keyText !== undefined && policy.keyText !== before.keyText;
    return { changed: isKeyNew ? [KEY_FILE] : [], take: () => this.#take(policy) };
  }

  metrics(): MetricFamily[] {
    return authMetrics(this.authorizer, this.webhooks);
  }

  #take(policy: Policy): void {
    const server = isDeepStrictEqual(policy.webhook, this.#policy.webhook)
      ? undefined
      : this.#serverOf(policy);
    this.#policy = policy;
    // Without a new one the last is kept: for the ends of what began while it was asked.
    if (server) this.webhooks.use(server);
    this.authorizer.use(policy.options);
  }

  #serverOf({ webhook }: Policy): WebhookServer | undefined {
    const { url, secret, allowNetworks = [], ...options } = webhook;
    if (url === undefined || secret === undefined) return undefined;
    const poster = new WebhookPoster({
      clock: this.#needs.clock,
      targets: new WebhookTargets(allowNetworks),
    });
    return { ...options, url, secret, post: (post) => poster.post(post) };
  }
}

function authMetrics({ counts }: Authorizer, webhooks: Webhooks): MetricFamily[] {
  const { admitted, refused } = counts;
  return [
    counter(
      'tideway_auth_admitted_total',
      'Publishers and players that were let in, by what let them.',
      admitted.map(({ action, way, count: value }) => ({ labels: { action, way }, value })),
    ),
    counter(
      'tideway_auth_refused_total',
      'Publishers and players that were not let in, by reason.',
      refused.map(({ action, code, count: value }) => ({ labels: { action, code }, value })),
    ),
    counter(
      'tideway_webhook_calls_total',
      "Calls to the operator's own server, by what they were and how they came out.",
      webhooks.counts.map(({ call, result, count: value }) => ({ labels: { call, result }, value })),
    ),
  ];
}

/** @throws TidewayError `auth.key` */
function policyOf({ auth, publish }: Config): Policy {
  const { secret, publicKeyFile, audience } = auth.jwt;
  const keyText = publicKeyFile === undefined ? undefined : textOf(publicKeyFile);
  const key = jwtKey(keyText, secret);
  const options: AuthOptions = {
    publishSecret: publish.secret,
    ...{ publish: auth.publish, play: auth.play, keys: auth.keys, maxAheadS: auth.maxSeconds },
    jwt: key && { ...key, audience },
  };
  return { options, webhook: auth.webhook, keyText };
}

function jwtKey(keyText: string | undefined, secret: string | undefined): JwtKey | undefined {
  if (keyText !== undefined) return publicKey(keyText);
  return secret === undefined ? undefined : sharedKey(secret);
}

function textOf(path: string): string {
  try {
    const found = statSync(path);
    // What is no file, such as a pipe, could keep the node waiting.
    if (!found.isFile()) throw unreadable(path, 'it is no file');
    if (found.size > MAX_KEY_FILE_BYTES) throw unreadable(path, `it has over ${MAX_KEY_FILE_BYTES} bytes`);
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof TidewayError) throw cause;
    throw unreadable(path, cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error');
  }
}

function unreadable(path: string, reason: string): TidewayError {
  return new TidewayError('auth.key', `${path}: ${KEY_FILE} can't be read (${reason})`);
}
