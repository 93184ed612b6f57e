// Questions to all nodes of a cluster, over links in simulated time.
import { describe, expect, test } from 'vitest';
import type { NodeLink } from '../../../src/http/forms/nodes.ts';
import { MAX_ROWS, type NodeAnswers, type QuestionRow } from '../../../src/http/forms/questions.ts';
import { ClusterAsk, type NodesTold } from '../../../src/node/cluster-ask.ts';
import { SimNet, type SimNode } from '../../support/mesh-sim.ts';

function linkRow(node: string, peer: string): NodeLink {
  const measured = { rttMs: 1.5, rttDevMs: 0.5, offsetMs: -3, lossShare: 0 };
  const bytes = { receivedBytesPerS: 1, sentBytesPerS: 2, receivedBytes: 3, sentBytes: 4, queueBytes: 0 };
  return { node, peer, dialledBy: node, ageMs: 10, ...measured, ...bytes };
}

/** A node of `net` that asks and answers. */
function askerAt(
  net: SimNet,
  node: SimNode,
  answers: Partial<NodeAnswers> = {},
  members: readonly string[] = net.nodes.map(({ id }) => id),
): ClusterAsk {
  const ask = new ClusterAsk({
    ...{ log: node.log, slices: node.slices, self: node.id, answers, members: () => members },
    linked: () => ({
      nodes: [...node.links.keys()],
      ask: async (id, query, take) => {
        const peer = node.links.get(id);
        if (!peer) throw new Error(`no link to ${id}`);
        return node.questions.ask(peer, query, take);
      },
    }),
  });
  node.answer = (peer, query) => ask.answer(peer, query);
  return ask;
}

const answersOf = (node: string, peers: readonly string[]): Partial<NodeAnswers> => ({
  links: () => ({ total: peers.length + 1, rows: peers.map((peer) => linkRow(node, peer)) }),
});

/** What comes of a question within so long. */
async function answered<T>(net: SimNet, asked: Promise<T>, withinMs = 600): Promise<T> {
  let value: { readonly of: T } | undefined;
  void asked.then((of) => {
    value = { of };
  });
  for (let ms = 0; ms < withinMs && !value; ms += 5) await net.run(5);
  if (!value) throw new Error(`no answer within ${withinMs} ms`);
  return value.of;
}

const pairs = ({ rows }: NodesTold<'links'>) => rows.map(({ node, peer }) => `${node}${peer}`);

test('all nodes answer at once, this one among them; totals add up', async () => {
  const net = new SimNet(['a', 'b', 'c']);
  const ask = askerAt(net, net.node('a'), answersOf('a', ['b', 'c']));
  askerAt(net, net.node('b'), answersOf('b', ['a']));
  askerAt(net, net.node('c'), answersOf('c', []));
  const asked = await answered(net, ask.all('links', {}, 'r-1'), 50);
  expect(pairs(asked)).toEqual(['ab', 'ac', 'ba']);
  expect([asked.total, asked.stale]).toEqual([6, []]);
});

test('one node, or some, are asked alone', async () => {
  const net = new SimNet(['a', 'b', 'c']);
  const ask = askerAt(net, net.node('a'), answersOf('a', ['b']));
  askerAt(net, net.node('b'), answersOf('b', ['a']));
  askerAt(net, net.node('c'), answersOf('c', ['a']));
  expect(pairs(await answered(net, ask.some(['b'], 'links', {}, '')))).toEqual(['ba']);
  expect(pairs(await answered(net, ask.some(['a'], 'links', {}, '')))).toEqual(['ab']);
  expect(pairs(await answered(net, ask.some(['c', 'a', 'c'], 'links', {}, '')))).toEqual(['ab', 'ca']);
});

test('the request is in the log of who answers, and what is asked for comes to it', async () => {
  const net = new SimNet(['a', 'b']);
  const ask = askerAt(net, net.node('a'));
  const got: unknown[] = [];
  askerAt(net, net.node('b'), {
    alarms: (args) => {
      got.push(args);
      return { total: 0, rows: [] };
    },
  });
  await answered(net, ask.all('alarms', { stream: 'live/x', limit: 5 }, 'r-77'));
  expect(got).toEqual([{ stream: 'live/x', limit: 5 }]);
  expect(net.node('b').log.lines.filter(({ event }) => event === 'mesh.asked')).toEqual([
    expect.objectContaining({ level: 'debug', fields: { peer: 'a', kind: 'alarms', request: 'r-77' } }),
  ]);
});

test('a node alone answers for itself, and without rows for what it does not know', async () => {
  const net = new SimNet(['a']);
  const node = net.node('a');
  const ask = new ClusterAsk({
    ...{ log: node.log, slices: node.slices, self: 'a', answers: answersOf('a', ['x']) },
    ...{ members: () => [], linked: () => undefined },
  });
  expect(await answered(net, ask.all('links', {}, ''))).toEqual({
    rows: [linkRow('a', 'x')],
    total: 2,
    stale: [],
  });
  expect(await answered(net, ask.all('streams', {}, ''))).toEqual({ rows: [], total: 0, stale: [] });
});

test('who has no link, does not answer, or loses its link meanwhile is named; the others count', async () => {
  const net = new SimNet(['a', 'b', 'c', 'd']);
  const a = net.node('a');
  const ask = askerAt(net, a, answersOf('a', ['b']), ['b', 'c', 'd', 'far']);
  askerAt(net, net.node('b'), answersOf('b', ['a']));
  net.deafen('a', 'c', true);
  net.deafen('a', 'd', true);
  const asked = ask.all('links', {}, '');
  await net.run(100);
  a.links.get('d')?.close();
  const { rows, total, stale } = await answered(net, asked);
  expect([rows.length, total]).toEqual([2, 4]);
  expect(stale).toEqual([
    { node: 'c', why: 'no-answer' },
    { node: 'd', why: 'no-link' },
    { node: 'far', why: 'no-link' },
  ]);
  expect(ask.stale.samples()).toHaveLength(2);
});

describe('a node has failed', () => {
  async function staleOf(rows: Iterable<unknown>): Promise<NodesTold<'links'>> {
    const net = new SimNet(['a', 'b']);
    const ask = askerAt(net, net.node('a'), answersOf('a', ['b']));
    net.node('b').answer = () => ({ total: 1, rows });
    return answered(net, ask.all('links', {}, ''));
  }

  test.each<[string, Iterable<unknown>]>([
    ['of another form', [linkRow('b', 'a'), { ...linkRow('b', 'x'), rttMs: 'soon' }]],
    ['that are none', [null]],
    ['of another node', [linkRow('b', 'a'), linkRow('a', 'b')]],
    ['of which there are more than may be', Array.from({ length: MAX_ROWS + 1 }, () => linkRow('b', 'a'))],
  ])('whose rows are %s', async (_name, rows) => {
    expect(await staleOf(rows)).toEqual({
      rows: [linkRow('a', 'b')],
      total: 2,
      stale: [{ node: 'b', why: 'failed' }],
    });
  });

  test.each(['{}', '[', '', '[[[', 'null', `[${'['.repeat(40_000)}`])(
    'whose rows are no JSON array: %.9s',
    async (text) => {
      const net = new SimNet(['a', 'b']);
      const ask = askerAt(net, net.node('a'));
      net.node('b').relay.control = (peer, message) => {
        if (message.is === 'query')
          peer.send({ is: 'reply', id: message.id, total: 1, rows: text, last: true });
      };
      expect((await answered(net, ask.all('links', {}, ''))).stale).toEqual([{ node: 'b', why: 'failed' }]);
      expect(net.node('a').links.get('b')?.isOpen).toBe(true);
    },
  );

  test('that knows no such question', async () => {
    const net = new SimNet(['a', 'b']);
    const a = net.node('a');
    const ask = askerAt(net, a);
    const there = askerAt(net, net.node('b'));
    for (const query of [
      { kind: 'secrets', args: '{}', request: '' },
      { kind: 'toString', args: '{}', request: '' },
      { kind: 'links', args: '{"more":1}', request: '' },
      { kind: 'stream', args: '{"key":"no key"}', request: '' },
      { kind: 'alarms', args: '{"limit":1e9}', request: '' },
      { kind: 'links', args: '{', request: '' },
    ]) {
      expect(() => there.answer('a', query)).toThrow(expect.objectContaining({ code: 'mesh.question' }));
    }
    net.node('b').answer = (peer, query) => there.answer(peer, { ...query, kind: 'x' });
    expect((await answered(net, ask.all('links', {}, ''))).stale).toEqual([{ node: 'b', why: 'failed' }]);
  });
});

test('fields that a newer node adds are left out', async () => {
  const net = new SimNet(['a', 'b']);
  const ask = askerAt(net, net.node('a'));
  net.node('b').answer = () => ({ total: 1, rows: [{ ...linkRow('b', 'a'), news: 1 }] });
  expect((await answered(net, ask.all('links', {}, ''))).rows).toEqual([linkRow('b', 'a')]);
});

test('a decision may name another node: who chose is who tells it', async () => {
  const net = new SimNet(['a', 'b']);
  const ask = askerAt(net, net.node('a'));
  const row = (by: string): QuestionRow<'decisions'> => ({
    ...{ id: 1, by, time: '2026-01-01T00:00:00.000Z', kind: 'play', stream: null, place: null, node: 'z' },
    ...{ why: 'it is best', considered: [], filtered: [], parents: [] },
  });
  askerAt(net, net.node('b'), { decisions: () => ({ total: 1, rows: [row('b')] }) });
  expect(await answered(net, ask.all('decisions', { limit: 1 }, ''))).toMatchObject({
    rows: [{ by: 'b', node: 'z' }],
    stale: [],
  });
});

test('a node sends the rows that an answer may have, and says how many there are', async () => {
  const net = new SimNet(['a', 'b']);
  const ask = askerAt(net, net.node('a'));
  function* many() {
    for (;;) yield linkRow('b', 'a');
  }
  askerAt(net, net.node('b'), { links: () => ({ total: 1_000_000, rows: many() }) });
  const { rows, total, stale } = await answered(net, ask.all('links', {}, ''));
  expect([rows.length, total, stale]).toEqual([MAX_ROWS, 1_000_000, []]);
});

test('eight questions are asked at once, 64 wait, the others are refused', async () => {
  const net = new SimNet(['a', 'b']);
  const ask = askerAt(net, net.node('a'));
  net.deafen('a', 'b', true);
  const asked = Array.from({ length: 80 }, () =>
    ask.all('links', {}, '').catch((error: { code: string }) => error.code),
  );
  await net.run(10);
  expect(net.node('a').questions.openCount).toBe(8);
  expect(await Promise.all(asked.slice(72))).toEqual(Array.from({ length: 8 }, () => 'cluster.busy'));
  net.deafen('a', 'b', false);
  const others = await answered(net, Promise.all(asked.slice(0, 72)), 10_000);
  expect(others.every((answer) => typeof answer !== 'string' && answer.stale.length === 0)).toBe(true);
  expect([ask.asked, ask.refused]).toEqual([72, 8]);
});
