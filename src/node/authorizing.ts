// How this node lets publishers and players in: the authorizer, built of the configuration, and what it counts.
import { readFileSync } from 'node:fs';
import { type AuthNeeds, Authorizer } from '../auth/authorizer.ts';
import { type JwtKey, publicKey, sharedKey } from '../auth/jwt.ts';
import { WebhookPoster } from '../auth/webhook-post.ts';
import { WebhookTargets } from '../auth/webhook-targets.ts';
import { type WebhookNeeds, Webhooks } from '../auth/webhooks.ts';
import { TidewayError } from '../base/errors.ts';
import type { Config } from '../config/schema.ts';
import { counter, type MetricFamily } from '../observe/metrics.ts';

/** The operator's own server, if there is one. */
export function buildWebhooks(
  { auth, node }: Config,
  needs: Omit<WebhookNeeds, 'post'>,
): Webhooks | undefined {
  const { url, secret, allowNetworks = [], ...options } = auth.webhook;
  if (url === undefined || secret === undefined) return undefined;
  const poster = new WebhookPoster({ clock: needs.clock, targets: new WebhookTargets(allowNetworks) });
  return new Webhooks(
    { ...options, url, secret, node: node.id },
    { ...needs, post: (post) => poster.post(post) },
  );
}

/** @throws TidewayError `auth.key` if the file of the public key is of no use */
export function buildAuthorizer({ auth, publish }: Config, needs: AuthNeeds): Authorizer {
  const key = jwtKey(auth.jwt);
  return new Authorizer(
    {
      publishSecret: publish.secret,
      ...{ publish: auth.publish, play: auth.play, keys: auth.keys, maxAheadS: auth.maxSeconds },
      jwt: key && { ...key, audience: auth.jwt.audience },
    },
    needs,
  );
}

export function authMetrics(
  { counts }: Pick<Authorizer, 'counts'>,
  webhooks: Pick<Webhooks, 'counts'> | undefined,
): MetricFamily[] {
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
      (webhooks?.counts ?? []).map(({ call, result, count: value }) => ({ labels: { call, result }, value })),
    ),
  ];
}

function jwtKey({ secret, publicKeyFile }: Config['auth']['jwt']): JwtKey | undefined {
  if (publicKeyFile !== undefined) return publicKey(textOf(publicKeyFile));
  return secret === undefined ? undefined : sharedKey(secret);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    throw new TidewayError(
      'auth.key',
      `${path}: auth.jwt.publicKeyFile can't be read (${reason})`,
      {},
      { cause },
    );
  }
}
