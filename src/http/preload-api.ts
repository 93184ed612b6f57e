// `/api/v1/streams/app/name/preload`: orders to have a stream ready on other nodes. What becomes of an order is a narrow
// interface's.
import type { z } from 'zod';
import { TidewayError } from '../base/errors.ts';
import { parseStreamKey, type StreamKey } from '../base/stream-key.ts';
import type { Handlers } from './api-operations.ts';
import type { Told } from './forms/common.ts';
import type { PreloadBody, preloadAnswer, preloadRow } from './forms/preload.ts';

/** Where copies of a stream are to be ready, and for how long. */
export interface PreloadOrder {
  readonly where:
    | { readonly nodes: readonly string[] }
    | { readonly regions: readonly string[]; readonly copies: number };
  readonly ttlMs: number;
}

export type PreloadRow = Told<z.output<typeof preloadRow>>;
export type PreloadAnswer = Told<z.output<typeof preloadAnswer>>;

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

export function preloadHandlers(
  orders: PreloadOrders,
): Pick<Handlers, 'showPreload' | 'orderPreload' | 'cancelPreload'> {
  return {
    showPreload: async ({ path }) => ({ status: 200, document: await orders.show(keyOf(path)) }),
    orderPreload: async ({ path, body }) => {
      return { status: 202, document: await orders.order(keyOf(path), orderIn(body)) };
    },
    cancelPreload: ({ path }) => {
      orders.cancel(keyOf(path));
      return { status: 204, document: null };
    },
  };
}

/** @throws TidewayError `stream-key.invalid`, `stream-key.reserved` */
function keyOf({ app, name }: { readonly app: string; readonly name: string }): StreamKey {
  return parseStreamKey(app, name);
}

/** @throws TidewayError `preload.where` */
function orderIn({ nodes, regions, copies, ttlSeconds }: Told<PreloadBody>): PreloadOrder {
  const ttlMs = ttlSeconds * 1_000;
  if (nodes && !regions && copies === undefined) {
    return { where: { nodes: [...new Set(nodes)] }, ttlMs };
  }
  if (regions && !nodes) return { where: { regions: [...new Set(regions)], copies: copies ?? 1 }, ttlMs };
  throw new TidewayError('preload.where', 'name either nodes, or regions with copies in each of them');
}
