// `/api/v1/streams/app/name/preload`: orders to have a stream ready on other nodes. It reads and answers requests; what
// becomes of an order is a narrow interface's.
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { type Reason, TidewayError } from '../base/errors.ts';
import { isLabel } from '../base/label.ts';
import { parseStreamKey, type StreamKey } from '../base/stream-key.ts';
import { answerJson } from './answer.ts';
import { ApiAccess } from './api-access.ts';
import { readJson } from './json-body.ts';
import type { Route } from './route.ts';

const MAX_TTL_SECONDS = 86_400;

const nodeId = z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/);
const region = z.string().refine(isLabel, 'a region is 1 to 64 of A-Z a-z 0-9 _ . + -');
const orderBody = z.strictObject({
  nodes: z.optional(z.array(nodeId).min(1).max(64)),
  regions: z.optional(z.array(region).min(1).max(32)),
  copies: z.optional(z.int().min(1).max(16)),
  ttlSeconds: z.int().min(1).max(MAX_TTL_SECONDS),
});

/** Where copies of a stream are to be ready, and for how long. */
export interface PreloadOrder {
  readonly where:
    | { readonly nodes: readonly string[] }
    | { readonly regions: readonly string[]; readonly copies: number };
  readonly ttlMs: number;
}

/** So many copies that are to be ready, and who was asked for them. */
export interface PreloadRow {
  /** An order of this API, a rule of `preload`, or `relay.standbyPlayers`. */
  readonly for: 'order' | 'rule' | 'standby';
  /** Null: wherever. */
  readonly region: string | null;
  readonly copies: number;
  /** `ready`: it had the stream when that was looked up last. */
  readonly nodes: readonly { readonly node: string; readonly ready: boolean }[];
  /** Copies for which there is no node now; it is looked for. */
  readonly missing: number;
  readonly why: Reason | null;
}

export interface PreloadAnswer {
  /** The node that answers, and keeps the order. */
  readonly node: string;
  readonly stream: string;
  /** When the order runs out, ISO 8601; null without one. */
  readonly until: string | null;
  readonly asked: readonly PreloadRow[];
}

export interface PreloadOrders {
  /**
   * Takes an order in place of the one before of this stream.
   * @throws TidewayError `preload.unknown-node`, `preload.unknown-region`, `preload.too-many-orders`, `preload.alone`
   */
  order(key: StreamKey, order: PreloadOrder): Promise<PreloadAnswer>;
  /**
   * What this node asks for, for whatever cause.
   * @throws TidewayError `preload.none`
   */
  show(key: StreamKey): Promise<PreloadAnswer>;
  /**
   * Ends the order.
   * @throws TidewayError `preload.none`
   */
  cancel(key: StreamKey): void;
}

/**
 * The route of the API, for this machine and for who has the token.
 * @param options.token of `api.token`
 */
export function preloadRoute(
  options: { token: string | undefined },
  { clock, orders }: { clock: Clock; orders: PreloadOrders },
): Route {
  return new ApiAccess(options).guard({
    methods: ['GET', 'HEAD', 'POST', 'DELETE'],
    matches: (path) => PATH.test(path),
    handle: async (request, response, url) => {
      const key = keyIn(url.pathname);
      switch (request.method) {
        case 'POST': {
          const order = orderIn(await readJson({ request, response }, orderBody, clock));
          answerJson(response, 202, await orders.order(key, order));
          break;
        }
        case 'DELETE':
          orders.cancel(key);
          response.writeHead(204, { 'Cache-Control': 'no-store' });
          response.end();
          break;
        default:
          answerJson(response, 200, await orders.show(key));
      }
    },
  });
}

const PATH = /^\/api\/v1\/streams\/([^/]*)\/([^/]*)\/preload$/;

/** @throws TidewayError `stream-key.invalid`, `stream-key.reserved` */
function keyIn(path: string): StreamKey {
  const [, app = '', name = ''] = PATH.exec(path) ?? [];
  return parseStreamKey(decodeURIComponent(app), decodeURIComponent(name));
}

/** @throws TidewayError `preload.where` */
function orderIn({ nodes, regions, copies, ttlSeconds }: z.output<typeof orderBody>): PreloadOrder {
  const ttlMs = ttlSeconds * 1_000;
  if (nodes && !regions && copies === undefined) {
    return { where: { nodes: [...new Set(nodes)] }, ttlMs };
  }
  if (regions && !nodes) return { where: { regions: [...new Set(regions)], copies: copies ?? 1 }, ttlMs };
  throw new TidewayError('preload.where', 'name either nodes, or regions with copies in each of them');
}
