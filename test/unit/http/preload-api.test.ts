import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { apiRoutes } from '../../../src/http/api-routes.ts';
import { type PreloadOrder, type PreloadOrders, preloadHandlers } from '../../../src/http/preload-api.ts';
import { accessBy } from '../../support/api-access.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeLog } from '../../support/media.ts';

const URL_OF_ORDER = new URL('http://node/api/v1/streams/live/show/preload');

/** What becomes of a body that is posted by this machine. */
async function orderOf(body: unknown): Promise<PreloadOrder> {
  const taken: PreloadOrder[] = [];
  const orders: PreloadOrders = {
    order: async (key, order) => {
      taken.push(order);
      return { node: 'a', stream: key, until: null, asked: [] };
    },
    show: () => Promise.reject(new Error('nobody asked')),
    cancel: () => {},
  };
  const routes = apiRoutes(
    { access: accessBy(), clock: new FakeClock(), log: new FakeLog() },
    preloadHandlers(orders),
  );
  const route = routes.find(({ methods }) => methods.includes('POST'));
  const request = Object.assign(new PassThrough(), {
    method: 'POST',
    headers: { host: 'localhost', 'content-type': 'application/json' },
    socket: { remoteAddress: '127.0.0.1' },
  });
  request.end(JSON.stringify(body));
  const response = { once: () => {}, setHeader: () => {}, writeHead: () => {}, end: () => {} };
  await route?.handle(
    request as unknown as IncomingMessage,
    response as unknown as ServerResponse,
    URL_OF_ORDER,
  );
  const [order] = taken;
  if (!order) throw new Error('no order was taken');
  return order;
}

test('an order names regions by any label that node.region may be', async () => {
  const { where } = await orderOf({ regions: ['eu+1', 'us'], ttlSeconds: 60 });
  expect(where).toEqual({ regions: ['eu+1', 'us'], copies: 1 });
});

test('what can be no region is refused, and the message says what can', async () => {
  await expect(orderOf({ regions: ['eu west'], ttlSeconds: 60 })).rejects.toMatchObject({
    code: 'api.body',
    message: 'regions.0 is 1 to 64 of A-Z a-z 0-9 _ . + -',
  });
});
