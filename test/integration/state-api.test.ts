// Every operation of the state API, asked of a node of a real cluster that has nothing to do with what it is asked for: each
// answer is held against the form that is declared for it, to the last field.
import { type ClientRequest, get } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FrameKind } from '../../src/format/frame.ts';
import { type OperationId, operations } from '../../src/http/api-operations.ts';
import { COMMON_ERRORS, type Declared } from '../../src/http/api-route.ts';
import { type LiveName, liveEvents } from '../../src/http/forms/live.ts';
import type { NodesAnswer } from '../../src/http/forms/nodes.ts';
import { problem } from '../../src/http/forms/problem.ts';
import type { SessionRow, SessionsAnswer } from '../../src/http/forms/sessions.ts';
import type { StreamsAnswer, TreeAnswer } from '../../src/http/forms/streams.ts';
import { Cluster } from '../support/cluster.ts';
import { meshed } from '../support/cluster-view.ts';
import { payloadOf } from '../support/media.ts';
import { RtmpClient } from '../support/rtmp-client.ts';
import { OPEN_HINT } from '../support/state-answers.ts';
import { until } from '../support/until.ts';

const KEY = 'live/show';
/** How busy this machine is by other things is nothing to go by here. */
const DEAF = {
  ...{ 'routing.limits.cpu': '1', 'routing.limits.memory': '1', 'routing.limits.loop': '1' },
  'routing.limits.loopLagMs': '60000',
};
const FRAME_MS = 40;
const FRAMES_A_GOP = 25;

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly document: unknown;
}

/** `a` is published to, `c` is played from, and `b` is asked. */
let cluster: Cluster;
let publisher: Publisher;
let player: ClientRequest;
let playerIsOver = false;

beforeAll(async () => {
  cluster = await Cluster.start({
    ids: ['a', 'b', 'c'],
    settings: { ...DEAF, 'watch.enabled': 'false' },
    nodeSettings: { a: { 'node.region': 'eu' }, c: { 'node.region': 'us' } },
  });
  publisher = await Publisher.start(cluster.node('a').rtmpPort);
  player = get(cluster.node('c').flvUrl(KEY), { agent: false }, (response) => {
    response.resume().on('close', () => {
      playerIsOver = true;
    });
  });
  player.on('error', () => {});
  await meshed(cluster.nodes);
  await until('c plays it', async () => {
    const { document } = await ask('GET', `/api/v1/streams/${KEY}`);
    return (document as Partial<TreeAnswer>).nodes?.some(
      ({ node, players }) => node === 'c' && players === 1,
    );
  });
});

afterAll(async () => {
  publisher?.stop();
  player?.destroy();
  await cluster?.[Symbol.asyncDispose]();
});

/** Sends a picture each 40 ms, a key frame each second. */
class Publisher {
  readonly #client: RtmpClient;
  readonly #timer: NodeJS.Timeout;
  #count = 0;

  private constructor(client: RtmpClient) {
    this.#client = client;
    client.frame({ kind: FrameKind.video, timestamp: 0, payload: payloadOf('avc header', 0) });
    this.#timer = setInterval(() => this.#send(), FRAME_MS);
  }

  static async start(port: number): Promise<Publisher> {
    return new Publisher(await RtmpClient.publishing(port, 'show'));
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#client.destroy();
  }

  #send(): void {
    const name = this.#count % FRAMES_A_GOP === 0 ? 'avc key' : 'avc delta';
    const payload = payloadOf(name, this.#count);
    this.#client.frame({ kind: FrameKind.video, timestamp: this.#count * FRAME_MS, payload });
    this.#count += 1;
  }
}

async function ask(method: string, path: string, body?: unknown, at = 'b'): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${cluster.node(at).httpPort}${path}`, {
    method,
    ...(body !== undefined && {
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  const text = await response.text();
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    document: text === '' ? null : JSON.parse(text),
  };
}

/** Holds an answer against what is declared: its status, its form, and that it has no field beyond the form. */
function held<T = unknown>(id: OperationId, { status, type, document }: Answer): T {
  const { answers }: Declared = operations[id];
  expect(Object.keys(answers), `${id}: ${JSON.stringify(document)}`).toContain(String(status));
  const form = answers[status];
  if (form) {
    expect(form.parse(document), id).toEqual(document);
    expect(type).toBe('application/json; charset=utf-8');
  } else expect(document).toBeNull();
  return document as T;
}

/** Holds a refusal against what is declared. */
function refused(id: OperationId, { status, type, document }: Answer): string {
  expect(type, id).toBe('application/problem+json');
  const told = problem.parse(document);
  expect([told.status, told.type]).toEqual([status, `/errors#${told.code}`]);
  const { errors }: Declared = operations[id];
  expect([...errors, ...COMMON_ERRORS, 'api.body'], id).toContain(told.code);
  return told.code;
}

/** The id of a session as any node tells it. */
async function sessionOf(kind: SessionRow['kind']): Promise<string> {
  const { sessions } = held<SessionsAnswer>(
    'sessions',
    await ask('GET', `/api/v1/sessions?kind=${kind}&state=open`),
  );
  return sessions[0]?.id ?? '';
}

const DRAIN = '/api/v1/node/drain';
const PRELOAD = `/api/v1/streams/${KEY}/preload`;

/** What each operation is asked, and what it tells of the cluster. */
const CASES: Readonly<Record<OperationId, () => Promise<void>>> = {
  status: async () => {
    expect(held('status', await ask('GET', '/api/v1/status'))).toMatchObject({
      ...{ node: 'b', registry: 'up', notReady: null, trouble: null, publishHint: OPEN_HINT },
      rtmpPort: cluster.node('b').rtmpPort,
      cluster: { nodes: { up: 3, draining: 0, silent: 0 }, players: 1, publishers: 1, streams: 2 },
    });
  },
  nodes: async () => {
    const { nodes } = held<NodesAnswer>('nodes', await ask('GET', '/api/v1/nodes'));
    expect(nodes.map(({ node, region, self }) => [node, region, self])).toEqual([
      ['a', 'eu', false],
      ['b', '', true],
      ['c', 'us', false],
    ]);
  },
  links: async () => {
    const all = held('links', await ask('GET', '/api/v1/links')) as {
      links: { node: string; peer: string }[];
    };
    expect(all.links.map(({ node, peer }) => node + peer)).toEqual(['ab', 'ac', 'ba', 'bc', 'ca', 'cb']);
    const one = held('links', await ask('GET', '/api/v1/links?node=c')) as typeof all;
    expect(one.links.map(({ node, peer }) => node + peer)).toEqual(['ca', 'cb']);
  },
  streams: async () => {
    const query = 'q=SHO&state=live&node=c&sort=players&order=desc&limit=10&history=1';
    const answer = held<StreamsAnswer>('streams', await ask('GET', `/api/v1/streams?${query}`));
    expect(answer).toMatchObject({ node: 'b', stale: [], total: 1, truncated: false, limit: 10 });
    expect(answer.streams).toMatchObject([
      {
        ...{ key: KEY, origin: { node: 'a', state: 'live', reason: 'publish' }, here: null, players: 1 },
        ...{ replicas: [{ node: 'c', hops: 1, upstream: 'a' }], video: 'avc', audio: null },
      },
    ]);
    expect(answer.streams[0]?.history?.bitsPerS.length).toBeGreaterThan(0);
  },
  stream: async () => {
    const tree = held<TreeAnswer>('stream', await ask('GET', `/api/v1/streams/${KEY}`));
    expect(tree).toMatchObject({ key: KEY, origin: { node: 'a' }, replicas: [], backup: null, stale: [] });
    expect(tree.nodes).toMatchObject([
      { node: 'a', role: 'origin', hops: 0, ageMs: 0, publisher: { kind: 'publisher', node: 'a' } },
      { node: 'c', role: 'replica', upstream: 'a', path: ['a', 'c'], players: 1, publisher: null },
    ]);
    const none = await ask('GET', '/api/v1/streams/live/never');
    expect([none.status, refused('stream', none)]).toEqual([404, 'api.no-stream']);
    expect(refused('stream', await ask('GET', '/api/v1/streams/api/show'))).toBe('stream-key.reserved');
  },
  showPreload: async () => {
    const none = await ask('GET', PRELOAD);
    expect([none.status, refused('showPreload', none)]).toEqual([404, 'preload.none']);
  },
  orderPreload: async () => {
    const order = { nodes: ['c'], ttlSeconds: 60 };
    expect(held('orderPreload', await ask('POST', PRELOAD, order))).toMatchObject({
      asked: [{ for: 'order', copies: 1, nodes: [{ node: 'c' }] }],
    });
    held('showPreload', await ask('GET', PRELOAD));
    const wrong = await ask('POST', PRELOAD, { ...order, ttl: 1 });
    expect([wrong.status, refused('orderPreload', wrong)]).toEqual([400, 'api.body']);
    expect(refused('orderPreload', await ask('POST', PRELOAD, { ttlSeconds: 1 }))).toBe('preload.where');
  },
  cancelPreload: async () => {
    expect((await ask('DELETE', PRELOAD)).status).toBe(204);
    const none = await ask('DELETE', PRELOAD);
    expect([none.status, refused('cancelPreload', none)]).toEqual([404, 'preload.none']);
  },
  sessions: async () => {
    const all = held<SessionsAnswer>('sessions', await ask('GET', `/api/v1/sessions?stream=${KEY}`));
    expect(all.sessions.map(({ node, kind, protocol }) => `${node} ${kind} ${protocol}`).sort()).toEqual([
      'a publisher rtmp',
      'c player http-flv',
    ]);
    const ofNode = held<SessionsAnswer>('sessions', await ask('GET', '/api/v1/sessions?node=c&limit=1'));
    expect([ofNode.total, ofNode.sessions.map(({ kind }) => kind)]).toEqual([1, ['player']]);
  },
  session: async () => {
    const id = await sessionOf('publisher');
    const row = held<SessionRow>('session', await ask('GET', `/api/v1/sessions/${id}`));
    expect(row).toMatchObject({ id, node: 'a', kind: 'publisher', stream: KEY, state: 'live', ended: null });
    for (const unknown of ['0000000000', 'no id at all']) {
      const none = await ask('GET', `/api/v1/sessions/${encodeURIComponent(unknown)}`);
      expect([none.status, refused('session', none)]).toEqual([404, 'api.no-session']);
    }
  },
  kick: async () => {
    const id = await sessionOf('player');
    const row = held<SessionRow>('kick', await ask('DELETE', `/api/v1/sessions/${id}`));
    expect(row).toMatchObject({ id, node: 'c', kind: 'player', ended: null });
    await until('the player is closed', () => playerIsOver);
    const ended = await until('it is told as ended', async () => {
      const { document } = await ask('GET', `/api/v1/sessions/${id}`);
      return (document as SessionRow).state === 'ended' && (document as SessionRow);
    });
    expect(ended.ended).not.toBeNull();
    expect(refused('kick', await ask('DELETE', '/api/v1/sessions/0000000000'))).toBe('api.no-session');
  },
  decisions: async () => {
    held('routePlay', await ask('GET', `/api/v1/route/play?stream=${KEY}`, undefined, 'a'));
    const own = held('decisions', await ask('GET', '/api/v1/decisions')) as { decisions: { by: string }[] };
    expect(own.decisions.filter(({ by }) => by !== 'b')).toEqual([]);
    const all = held(
      'decisions',
      await ask('GET', `/api/v1/decisions?scope=cluster&stream=${KEY}`),
    ) as typeof own;
    expect(all.decisions.map(({ by }) => by)).toEqual(expect.arrayContaining(['a', 'c']));
  },
  routePlay: async () => {
    const query = `stream=${KEY}&region=us&protocol=ws-flv&session=me`;
    expect(held('routePlay', await ask('GET', `/api/v1/route/play?${query}`))).toMatchObject({
      url: expect.stringMatching(/^ws:/),
      place: { region: 'us', zone: '', from: 'query' },
    });
    expect(refused('routePlay', await ask('GET', '/api/v1/route/play'))).toBe('route.stream');
  },
  routePublish: async () => {
    expect(held('routePublish', await ask('GET', `/api/v1/route/publish?stream=${KEY}`))).toMatchObject({
      url: expect.stringMatching(/^rtmp:/),
      session: null,
    });
  },
  alarms: async () => {
    held('alarms', await ask('GET', `/api/v1/alarms?stream=${KEY}&node=a&limit=5`));
  },
  events: async () => {
    const answer = held('events', await ask('GET', `/api/v1/events?stream=${KEY}&limit=1000`)) as {
      events: { event: string; node: string }[];
    };
    expect(answer.events).toContainEqual(expect.objectContaining({ event: 'publish.start', node: 'a' }));
  },
  traffic: async () => {
    for (const by of ['node', 'stream', 'protocol', 'regions', 'all']) {
      held('traffic', await ask('GET', `/api/v1/traffic?by=${by}`));
    }
    const answer = held('traffic', await ask('GET', `/api/v1/traffic?by=all&stream=${KEY}&node=a`)) as {
      rows: { node: string; direction: string; protocol: string; bytes: number }[];
    };
    const received = answer.rows.find(({ direction, protocol }) => direction === 'in' && protocol === 'rtmp');
    expect(received?.bytes).toBeGreaterThan(0);
  },
  showDrain: async () => {
    expect(held('showDrain', await ask('GET', DRAIN))).toMatchObject({ node: 'b', state: 'serving' });
  },
  beginDrain: async () => {
    expect(held('beginDrain', await ask('POST', DRAIN, { deadlineSeconds: 30 }))).toMatchObject({
      state: expect.stringMatching(/^drain/),
    });
    expect(refused('beginDrain', await ask('POST', DRAIN, { deadlineSeconds: -1 }))).toBe('api.body');
  },
  reload: async () => {
    const answer = await ask('POST', '/api/v1/node/reload', {});
    expect(held('reload', answer)).toEqual({ node: 'b', changed: [], needsRestart: [] });
  },
  undoDrain: async () => {
    expect(held('undoDrain', await ask('DELETE', DRAIN))).toMatchObject({ state: 'serving', since: null });
  },
};

test('each operation that is declared has a case here', () => {
  expect(Object.keys(CASES).sort()).toEqual(Object.keys(operations).sort());
});

describe('live events', () => {
  interface Heard {
    readonly event: LiveName;
    readonly id: number;
    readonly data: unknown;
  }

  /** Listens until it has heard enough. */
  async function listen(query: string, isEnough: (heard: readonly Heard[]) => boolean): Promise<Heard[]> {
    const end = new AbortController();
    const response = await fetch(`http://127.0.0.1:${cluster.node('b').httpPort}/api/v1/events${query}`, {
      headers: { Accept: 'text/event-stream', Authorization: 'Bearer no-token-is-set' },
      signal: end.signal,
    });
    expect([response.status, response.headers.get('content-type')]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
    ]);
    let text = '';
    const heard: Heard[] = [];
    const decoder = new TextDecoder();
    for await (const bytes of response.body ?? []) {
      text += decoder.decode(bytes as Uint8Array, { stream: true });
      const parts = text.split('\n\n');
      text = parts.pop() ?? '';
      heard.push(...parts.flatMap(heardIn));
      if (isEnough(heard)) break;
    }
    end.abort();
    return heard;
  }

  function heardIn(part: string): Heard[] {
    const data = /^data: (.*)$/m.exec(part)?.[1];
    if (data === undefined) return [];
    const event = /^event: (.*)$/m.exec(part)?.[1] as LiveName;
    return [{ event, id: Number(/^id: (\d+)$/m.exec(part)?.[1]), data: JSON.parse(data) }];
  }

  test('are of the forms that are declared, in a row, of all nodes', async () => {
    let second: Promise<void> | undefined;
    const heard = await listen(`?stream=${KEY}`, (soFar) => {
      const names = soFar.map(({ event }) => event);
      // Something happens at another node, once there is somebody who listens.
      if (names.includes('status')) {
        second ??= RtmpClient.publishing(cluster.node('a').rtmpPort, 'second').then((client) =>
          client.destroy(),
        );
      }
      return names.filter((name) => name === 'status').length >= 2 && names.includes('event');
    });
    await second;
    for (const { event, data } of heard) expect(liveEvents[event].parse(data), event).toEqual(data);
    expect(heard[0]).toMatchObject({ event: 'hello', data: { node: 'b' } });
    const ids = heard.map(({ id }) => id);
    expect(ids).toEqual([...ids].sort((x, y) => x - y));
    expect(heard.find(({ event }) => event === 'nodes')?.data).toMatchObject({
      changed: [{ node: 'a' }, { node: 'b' }, { node: 'c' }],
    });
    expect(heard.find(({ event }) => event === 'stream')?.data).toMatchObject({
      key: KEY,
      origin: { node: 'a' },
    });
    expect(heard.find(({ event }) => event === 'event')?.data).toMatchObject({ node: 'a' });
  });

  test('are of those topics alone that are asked for', async () => {
    const heard = await listen('?topics=status', (all) => all.length >= 3);
    expect(heard.map(({ event }) => event)).toEqual(['hello', 'status', 'status']);
    const wrong = await ask('GET', '/api/v1/events?topics=status,weather');
    expect([wrong.status, refused('events', wrong)]).toEqual([400, 'api.query']);
  });
});

describe('asked of a node that has no part in it', () => {
  test.each(Object.keys(CASES) as OperationId[])('%s answers as it is declared', (id) => CASES[id]());
});

test.each(Object.keys(operations) as OperationId[])(
  '%s refuses what it does not know, by name',
  async (id) => {
    const { method, path } = operations[id];
    const at = path.replace('{app}/{name}', KEY).replace('{id}', 'abcdefgh');
    const answer = await ask(method, `${at}?nonsense=1`, method === 'POST' ? {} : undefined);
    expect([answer.status, refused(id, answer)]).toEqual([400, 'api.query']);
    expect(problem.parse(answer.document).detail).toContain('"nonsense"');
  },
);

test('a node that does not answer is named, and what the registry has of it is told', async () => {
  const c = cluster.node('c');
  const playing = get(c.flvUrl(KEY), { agent: false }, (response) => response.resume());
  playing.on('error', () => {});
  await until('the registry lists the replica', async () => {
    const { document } = await ask('GET', '/api/v1/streams?node=c');
    return (document as StreamsAnswer).streams.length === 1;
  });
  c.pause();
  try {
    const answer = await until('c is missed', async () => {
      const told = held<StreamsAnswer>('streams', await ask('GET', '/api/v1/streams'));
      return told.stale.length > 0 && told;
    });
    expect(answer.stale).toMatchObject([{ node: 'c' }]);
    expect(answer.streams).toMatchObject([{ key: KEY, origin: { node: 'a' }, replicas: [{ node: 'c' }] }]);
    const tree = held<TreeAnswer>('stream', await ask('GET', `/api/v1/streams/${KEY}`));
    expect([tree.stale.map(({ node }) => node), tree.nodes.map(({ node }) => node)]).toEqual([['c'], ['a']]);
    expect(tree.replicas).toMatchObject([{ node: 'c', upstream: 'a' }]);
  } finally {
    c.resume();
    playing.destroy();
  }
});
