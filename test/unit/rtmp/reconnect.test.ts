import { expect, test } from 'vitest';
import { encode } from '../../../src/format/amf0.ts';
import { reconnectRequest, reconnectsOf, tcUrlAt } from '../../../src/rtmp/reconnect.ts';
import { connected } from '../../../src/rtmp/replies.ts';

const WHY = { code: 'node.draining', message: 'use another node' };
const TC_URL = 'rtmp://127.0.0.1/live';

test('the request is an onStatus of the connection, with the address to go to', () => {
  const { streamId, type, chunkStreamId, payload } = reconnectRequest(WHY, 'rtmp://b.example:1935/live');
  expect({ streamId, type, chunkStreamId }).toEqual({ streamId: 0, type: 20, chunkStreamId: 3 });
  const info = {
    level: 'status',
    code: 'NetConnection.Connect.ReconnectRequest',
    description: 'use another node',
    tcUrl: 'rtmp://b.example:1935/live',
  };
  expect(payload).toEqual(encode('onStatus', 0, null, info));
});

test('without an address it names none: the client comes back to the one that it has', () => {
  expect(reconnectRequest(WHY, undefined).payload.includes('tcUrl')).toBe(false);
});

test.each([
  ['says so, and came by rtmp', { capsEx: 1, tcUrl: TC_URL }, 'anywhere'],
  ['says so among other things', { capsEx: 15, tcUrl: TC_URL }, 'anywhere'],
  ['came by TLS, which ends elsewhere', { capsEx: 1, tcUrl: 'rtmps://live.example/live' }, 'here'],
  ['does not say where it connected to', { capsEx: 1 }, 'here'],
  ['says other things only', { capsEx: 14, tcUrl: TC_URL }, 'unasked'],
  ['says it in no number', { capsEx: '1', tcUrl: TC_URL }, 'unasked'],
  ['says nothing', { tcUrl: TC_URL }, 'unasked'],
])('a client that %s', (_, object, reconnects) => {
  expect(reconnectsOf(new Map(Object.entries(object)))).toBe(reconnects);
});

test('the address keeps what the client had asked for, its query too, and has its session', () => {
  const query = new URLSearchParams({ key: 's p' });
  expect(tcUrlAt('b.example:1935', { app: 'live', query }, 'abc123def456')).toBe(
    'rtmp://b.example:1935/live?key=s+p&tw_session=abc123def456',
  );
  expect(tcUrlAt('rtmps://b.example:1936', { app: 'live', query }, 'abc123def456')).toBe(
    'rtmps://b.example:1936/live?key=s+p&tw_session=abc123def456',
  );
  expect(tcUrlAt('b.example:1935', { app: 'live', query: new URLSearchParams() }, 'abc123def456')).toBe(
    'rtmp://b.example:1935/live?tw_session=abc123def456',
  );
});

test('a client of Enhanced RTMP is told that it may be asked', () => {
  const answer = connected(1, new Map([['capsEx', 1]])).at(-1);
  const capsEx = answer?.payload.indexOf(Buffer.concat([Buffer.from('capsEx'), Buffer.from([0])]));
  expect(answer?.payload.readDoubleBE((capsEx ?? 0) + 7)).toBe(15);
});
