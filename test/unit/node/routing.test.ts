import { beforeEach, describe, expect, test } from 'vitest';
import { parseStreamKey } from '../../../src/base/stream-key.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { RouteRequest } from '../../../src/http/route-request.ts';
import { NodeRouting } from '../../../src/node/routing.ts';
import type { NodeRecord } from '../../../src/registry/registry.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeLog } from '../../support/media.ts';
import { nodeRecord } from '../../support/node-record.ts';

const KEY = parseStreamKey('live', 'show');
const PLAY: RouteRequest = {
  ...{ kind: 'play', key: KEY, protocol: 'http-flv', network: 'public', session: undefined },
  place: { region: '', zone: '' },
};

let clock: FakeClock;
let log: FakeLog;
let own: NodeRecord;
let others: NodeRecord[];
let linked: Set<string>;
let isRegistryUp: boolean;

function recordOf(node: string, changes: Partial<NodeRecord> = {}): NodeRecord {
  return nodeRecord(node, { http: `${node}.example:80`, rtmp: `${node}.example:1935`, ...changes });
}

function busy(node: string, cpu: number, changes: Partial<NodeRecord> = {}): NodeRecord {
  const record = recordOf(node, changes);
  return { ...record, load: { ...record.load, cpu } };
}

function routingOf(flags: Record<string, string> = {}): NodeRouting {
  const routing = new NodeRouting(loadConfig({ flags: { 'node.id': 'a', ...flags } }), {
    ...{ clock, log, version: '0.0.0', self: () => own, isRegistryUp: () => isRegistryUp },
    holders: { now: () => undefined, of: async () => undefined },
    others: () => others.map((record) => ({ record, leaseMs: 4_000 })),
    isLinked: (node) => linked.has(node),
  });
  routing.refresh();
  return routing;
}

beforeEach(() => {
  clock = new FakeClock();
  log = new FakeLog();
  own = recordOf('a');
  others = [recordOf('b')];
  linked = new Set();
  isRegistryUp = true;
});

describe('URLs', () => {
  test.each([
    ['http-flv', 'public', 'http://b.example:80/live/show.flv'],
    ['ws-flv', 'public', 'ws://b.example:80/live/show.flv'],
    ['rtmp', 'public', 'rtmp://b.example:1935/live/show'],
    ['http-flv', 'internal', 'http://10.0.0.2:80/live/show.flv'],
    ['rtmp', 'internal', 'rtmp://10.0.0.2:1935/live/show'],
  ] as const)('of %s in the %s network', async (protocol, network, url) => {
    own = busy('a', 0.99);
    others = [recordOf('b', { httpInternal: '10.0.0.2:80', rtmpInternal: '10.0.0.2:1935' })];
    expect(await routingOf().route({ ...PLAY, protocol, network })).toMatchObject({ node: 'b', url });
  });

  test.each([
    ['http-flv', 'https://b.example:443/live/show.flv'],
    ['ws-flv', 'wss://b.example:443/live/show.flv'],
    ['rtmp', 'rtmps://b.example:1936/live/show'],
  ] as const)('of %s say where the door speaks TLS', async (protocol, url) => {
    own = busy('a', 0.99);
    others = [recordOf('b', { http: 'https://b.example:443', rtmp: 'rtmps://b.example:1936' })];
    expect(await routingOf().route({ ...PLAY, protocol })).toMatchObject({ node: 'b', url });
  });

  test('of the internal network are those for everybody, where a node has no other', async () => {
    own = busy('a', 0.99);
    expect((await routingOf().route({ ...PLAY, network: 'internal' })).url).toBe(
      'http://b.example:80/live/show.flv',
    );
  });

  test('a node whose door is shut is not named', async () => {
    own = busy('a', 0.99);
    others = [recordOf('b', { http: '' })];
    expect(await routingOf().route(PLAY)).toMatchObject({
      node: undefined,
      url: undefined,
      filtered: [
        { reason: 'door', count: 1, nodes: ['b'] },
        { reason: 'cpu', count: 1, nodes: ['a'] },
      ],
    });
  });

  test('a region that no node is in is told', async () => {
    const { why } = await routingOf().route({ ...PLAY, place: { region: 'mars', zone: '' } });
    expect(why).toMatch(/; no node is in region mars$/);
  });
});

describe('a play that came to this node', () => {
  test('is sent on when this one is over its limits', () => {
    expect(routingOf().redirect(PLAY)).toBeUndefined();
    own = busy('a', 0.99);
    expect(routingOf().redirect(PLAY)).toBe('http://b.example:80/live/show.flv');
  });

  test('stays when all are over their limits', () => {
    own = busy('a', 0.99);
    others = [busy('b', 0.99)];
    expect(routingOf().redirect(PLAY)).toBeUndefined();
  });

  test('stays always, if the operator says never', () => {
    own = busy('a', 0.99);
    expect(routingOf({ 'route.redirect': 'never' }).redirect(PLAY)).toBeUndefined();
  });

  test('is sent on whenever another is clearly better, if the operator says always', () => {
    const flags = { 'route.redirect': 'always' };
    own = busy('a', 0.05);
    expect(routingOf(flags).redirect(PLAY)).toBeUndefined();
    own = busy('a', 0.5);
    expect(routingOf(flags).redirect(PLAY)).toBe('http://b.example:80/live/show.flv');
  });

  test('by RTMP is not sent away for a better place: most players would be lost', () => {
    const flags = { 'route.redirect': 'always' };
    own = busy('a', 0.5);
    expect(routingOf(flags).redirect({ ...PLAY, protocol: 'rtmp' })).toBeUndefined();
    own = busy('a', 0.99);
    expect(routingOf(flags).redirect({ ...PLAY, protocol: 'rtmp' })).toBe('rtmp://b.example:1935/live/show');
  });
});

test('a publisher is told the address of another node', () => {
  expect(routingOf().reconnectTo(KEY)).toBe('b.example:1935');
  others = [];
  expect(routingOf().reconnectTo(KEY)).toBeUndefined();
});

test('a preload is for a node of the region that has not been asked', () => {
  others = ['b', 'c'].map((node) => recordOf(node, { region: 'us', http: '', rtmp: '' }));
  const routing = routingOf();
  const first = routing.chooseFor(KEY, 'us', new Set());
  expect(['b', 'c']).toContain(first);
  expect(routing.chooseFor(KEY, 'us', new Set([first ?? '']))).toBe(first === 'b' ? 'c' : 'b');
  expect(routing.chooseFor(KEY, 'us', new Set(['b', 'c']))).toBeUndefined();
});

describe('the nodes', () => {
  const names = (routing: NodeRouting) => routing.router.view.nodes.map(({ view }) => view.node).sort();

  test('are taken anew twice a second', () => {
    const routing = routingOf();
    routing.start();
    others = [recordOf('c')];
    clock.pass(499);
    expect(names(routing)).toEqual(['a', 'b']);
    clock.pass(1);
    expect(names(routing)).toEqual(['a', 'c']);
    routing.stop();
    others = [];
    clock.pass(2_000);
    expect(names(routing)).toEqual(['a', 'c']);
  });

  test('that no longer beat stay while the registry is away and they are linked', () => {
    others = [recordOf('b'), recordOf('c')];
    const routing = routingOf();
    others = [];
    isRegistryUp = false;
    linked = new Set(['c', 'unknown']);
    routing.refresh();
    expect(names(routing)).toEqual(['a', 'c']);
    isRegistryUp = true;
    routing.refresh();
    expect(names(routing)).toEqual(['a']);
  });

  test('that put one zone into two regions are told of once', () => {
    others = [recordOf('b', { region: 'eu', zone: 'z' }), recordOf('c', { region: 'us', zone: 'z' })];
    const routing = routingOf();
    routing.refresh();
    expect(log.lines.filter(({ event }) => event === 'routing.labels-conflict')).toHaveLength(1);
  });
});
