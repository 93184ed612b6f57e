// Questions between nodes over real links: large answers, and the event loop meanwhile.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { Slices } from '../../src/base/slices.ts';
import type { SessionRow } from '../../src/http/forms/sessions.ts';
import { Answers } from '../../src/mesh/answers.ts';
import { Questions } from '../../src/mesh/questions.ts';
import { ClusterAsk } from '../../src/node/cluster-ask.ts';
import { MeshNode } from '../support/mesh-node.ts';
import { until } from '../support/until.ts';

const ROWS = 1_000;

/** A node with links, and what it asks and answers. */
class AskingNode {
  readonly mesh: MeshNode;
  readonly questions = new Questions({ clock: systemClock });
  readonly answers: Answers;
  readonly ask: ClusterAsk;

  constructor(node: string, others: readonly string[]) {
    this.mesh = new MeshNode(node);
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const slices = new Slices({ clock: systemClock });
    this.ask = new ClusterAsk({
      ...{ log, slices, self: node, members: () => others },
      answers: { sessions: () => ({ total: ROWS, rows: rowsOf(node) }) },
      linked: () => {
        const peers = this.mesh.links.list();
        return {
          nodes: peers.map((peer) => peer.node),
          ask: async (id, query, take) => {
            const peer = peers.find((one) => one.node === id);
            if (!peer) throw new Error(`no link to ${id}`);
            return this.questions.ask(peer, query, take);
          },
        };
      },
    });
    this.answers = new Answers({
      ...{ clock: systemClock, log, slices },
      answer: (peer, query) => this.ask.answer(peer, query),
    });
    this.mesh.hooks = {
      opened: (peer) => {
        this.questions.opened(peer);
        this.answers.opened(peer);
      },
      closed: (peer) => {
        this.questions.closed(peer);
        this.answers.closed(peer);
      },
      drained: (peer) => this.answers.drained(peer),
      control: (peer, message) => {
        if (message.is === 'query') this.answers.control(peer, message);
        if (message.is === 'reply' || message.is === 'noreply') this.questions.control(peer, message);
      },
    };
  }
}

function* rowsOf(node: string): Generator<SessionRow> {
  for (let at = 0; at < ROWS; at += 1) {
    yield {
      ...{ id: `${at}`.padStart(8, 'a'), node, kind: 'player', stream: `live/s${at}`, protocol: 'http-flv' },
      ...{ remote: '203.0.113.7:54321', since: '2026-01-01T00:00:00.000Z', durationMs: 1_234.5 },
      ...{
        state: 'live',
        bytes: 1e9,
        bytesPerS: 125_000,
        backlogBytes: 0,
        dropped: 0,
        skips: 0,
        ended: null,
      },
    };
  }
}

const ids = ['a', 'b', 'c'];
let nodes: AskingNode[];

beforeEach(async () => {
  nodes = ids.map(
    (id) =>
      new AskingNode(
        id,
        ids.filter((other) => other !== id),
      ),
  );
  await Promise.all(nodes.map(({ mesh }) => mesh.links.start()));
  const records = nodes.map(({ mesh }) => mesh.record);
  for (const { mesh } of nodes) mesh.links.setNodes(records.filter(({ node }) => node !== mesh.node));
  await until('all are linked', () => nodes.every(({ mesh }) => mesh.links.size === 2));
});

afterEach(async () => {
  await Promise.all(nodes.map(({ mesh }) => mesh.links.stop()));
});

/** The most CPU time that this process took from one look to the next, once each turn of the event loop, ms. */
class BusyWatch {
  worstMs = 0;
  #isOver = false;
  #last = process.cpuUsage();

  constructor() {
    this.#look();
  }

  end(): void {
    this.#isOver = true;
  }

  #look(): void {
    const { user, system } = process.cpuUsage(this.#last);
    this.#last = process.cpuUsage();
    this.worstMs = Math.max(this.worstMs, (user + system) / 1_000);
    if (!this.#isOver) setImmediate(() => this.#look());
  }
}

test('a thousand rows of each node come whole, and nothing holds the event loop up', async () => {
  const [a] = nodes;
  // Once to warm up: what is compiled meanwhile is no work of ours.
  await a?.ask.all('sessions', { limit: ROWS }, 'r1');
  const watch = new BusyWatch();
  const answer = await a?.ask.all('sessions', { limit: ROWS }, 'r2');
  watch.end();
  expect([answer?.rows.length, answer?.total, answer?.stale]).toEqual([3 * ROWS, 3 * ROWS, []]);
  expect(new Set(answer?.rows.map(({ node, id }) => `${node}${id}`)).size).toBe(3 * ROWS);
  // Of the three nodes in this one process together.
  expect(watch.worstMs).toBeLessThan(40);
  for (const { questions, answers } of nodes)
    expect([questions.openCount, answers.openCount]).toEqual([0, 0]);
});

test('a node that goes while it is asked is named, and the others have answered', async () => {
  const [a, b] = nodes;
  const asked = a?.ask.all('sessions', { limit: ROWS }, 'r1');
  await b?.mesh.links.stop();
  const answer = await asked;
  expect([answer?.rows.length, answer?.stale]).toEqual([2 * ROWS, [{ node: 'b', why: 'no-link' }]]);
});
