// Real players on the routes of real nodes: each is sent to the node that its place makes best, once, and plays there.
//
// To node `a`, which is in the EU, everybody here is in the US; to node `b`, which is in the US, in the EU. Both send
// everybody to better nodes, and so all to each other. Node `c` takes one player, and wants no other node to take more.
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { RouteDocument } from '../../src/http/forms/routes.ts';
import { CheckedPlayer } from '../support/checked-player.ts';
import { Cluster } from '../support/cluster.ts';
import { hereAt } from '../support/cluster-view.ts';
import { captureHttpFlv, framesOf } from '../support/frames.ts';
import { PROJECT_FOLDER } from '../support/node-process.ts';
import { Program, run } from '../support/programs.ts';
import { field, RtmpClient } from '../support/rtmp-client.ts';
import { Sources } from '../support/sources.ts';
import { until } from '../support/until.ts';
import { WatchBrowser } from '../support/watch-browser.ts';

const KEY = 'live/show';
const MPEGTS = createRequire(import.meta.url).resolve('mpegts.js/dist/mpegts.js');

/** How busy this machine is by other things is nothing to go by here. */
const DEAF = {
  ...{ 'routing.limits.cpu': '1', 'routing.limits.memory': '1', 'routing.limits.loop': '1' },
  ...{ 'routing.limits.loopLagMs': '60000', 'routing.weights.cpu': '0', 'routing.weights.memory': '0' },
};

const sources = new Sources();
let cluster: Cluster;
let publisher: Program;

beforeAll(async () => {
  const [source] = await Promise.all([
    sources.get('audio and video'),
    Cluster.start({
      ids: ['a', 'b', 'c'],
      settings: DEAF,
      nodeSettings: {
        a: { 'node.region': 'eu', 'routing.networks': '127.0.0.0/8=us', 'route.redirect': 'always' },
        b: { 'node.region': 'us', 'routing.networks': '127.0.0.0/8=eu', 'route.redirect': 'always' },
        c: { 'node.region': 'ap', 'routing.limits.players': '1', 'route.redirect': 'overload' },
      },
    }).then((started) => {
      cluster = started;
    }),
  ]);
  const endless = ['-v', 'error', '-re', '-stream_loop', '-1', '-i', source.path, '-c', 'copy', '-f', 'flv'];
  publisher = new Program('ffmpeg', [...endless, cluster.node('a').rtmpUrl(KEY)]);
  await until(
    'it is published',
    async () => (await hereAt(cluster.node('a'), KEY).catch(() => undefined))?.state === 'live',
  );
  for (const id of ['a', 'b']) {
    await until(`${id} knows of the other`, async () => {
      const { status } = await fetch(cluster.node(id).flvUrl(KEY), { method: 'HEAD', redirect: 'manual' });
      return status === 302;
    });
  }
}, 60_000);

afterAll(async () => {
  await publisher?.kill();
  await cluster?.[Symbol.asyncDispose]();
  sources[Symbol.dispose]();
});

function routeUrl(id: string, query = ''): string {
  return `http://127.0.0.1:${cluster.node(id).httpPort}/route/${KEY}.flv${query}`;
}

async function routeOf(id: string, query: string, kind: 'play' | 'publish' = 'play'): Promise<RouteDocument> {
  return (await cluster.node(id).api(`/api/v1/route/${kind}?stream=${KEY}&${query}`)) as RouteDocument;
}

function withoutSession(url: string | null): string | undefined {
  return url?.replace(/&tw_session=[a-z0-9]{12}/, '');
}

function sessionIn(url: string): string {
  return new URL(url).searchParams.get('tw_session') ?? '';
}

/** The lines of all nodes about a session. */
function joined(session: string): string[] {
  return cluster.nodes.flatMap(({ id, lines }) =>
    lines.filter((line) => line.session === session).map(({ event }) => `${id} ${event}`),
  );
}

interface Plays {
  readonly a: number;
  readonly b: number;
}

/** Players that ever played there, by the logs. */
function plays(): Plays {
  const at = (id: string) => cluster.node(id).events('play.start').length;
  return { a: at('a'), b: at('b') };
}

/** Resolves once so many more have played; fails if more do at the other. */
async function played(before: Plays, more: Plays): Promise<void> {
  const expected = { a: before.a + more.a, b: before.b + more.b };
  await until('they play', () => plays().a >= expected.a && plays().b >= expected.b);
  expect(plays()).toEqual(expected);
}

test('curl and ffmpeg follow to the node that is best for them', async () => {
  const before = plays();
  const [curl, ffmpeg] = [join(sources.folder, 'curl.flv'), join(sources.folder, 'ffmpeg.flv')];
  const told = '%{http_code} %{num_redirects} %{url_effective}\n';
  const [fetched] = await Promise.all([
    new Program('curl', [
      '-sL',
      '--max-time',
      '1.5',
      '-w',
      told,
      '-o',
      curl,
      routeUrl('a', '?key=x&region=us'),
    ]).done,
    run('ffmpeg', ['-v', 'error', '-i', routeUrl('a'), '-t', '0.5', '-c', 'copy', ffmpeg]),
  ]);
  expect(withoutSession(String(fetched.stdout))).toBe(
    `200 1 ${cluster.node('b').flvUrl(KEY)}?key=x&tw_hop=1\n`,
  );
  for (const path of [curl, ffmpeg]) expect(framesOf(readFileSync(path)).length).toBeGreaterThan(10);
  await played(before, { a: 0, b: 2 });
  expect(await cluster.node('a').metric('tideway_redirects_total', 'door="route"')).toBeGreaterThanOrEqual(2);
});

test('what a node sends another is what that one has of it, by the region of each', async () => {
  const of = (id: string, labels: string) =>
    cluster.node(id).metric('tideway_mesh_media_bytes_total', labels);
  const came = await of('b', 'direction="in",region="eu"');
  const went = await of('a', 'direction="out",region="us"');
  const later = await of('b', 'direction="in",region="eu"');
  expect(came).toBeGreaterThan(10_000);
  // Less what says where runs begin, and what is under way.
  expect(went).toBeGreaterThan(came ?? 0);
  expect(went).toBeLessThan((later ?? 0) * 1.2 + 50_000);
});

test('mpegts.js on a page of another site follows', async () => {
  const before = plays();
  const site = await serveSite();
  await using browser = await WatchBrowser.start();
  try {
    const at = `http://127.0.0.1:${(site.address() as AddressInfo).port}/`;
    await using watch = await browser.open(`${at}#${routeUrl('a')}`);
    await watch.plays(0.5);
    await played(before, { a: 0, b: 1 });
    expect(watch.errors).toEqual([]);
  } finally {
    site.closeAllConnections();
    site.close();
  }
});

/** A page that plays the URL behind its #. */
async function serveSite(): Promise<Server> {
  const page = `<!doctype html><p id="screen-state"></p><video muted></video><script src="/mpegts.js"></script><script>
    const player = mpegts.createPlayer({ type: 'flv', isLive: true, url: location.hash.slice(1) });
    player.attachMediaElement(document.querySelector('video'));
    player.load();
    void player.play();
  </script>`;
  const site = createServer((request, response) => {
    const isScript = request.url === '/mpegts.js';
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? readFileSync(MPEGTS) : request.url === '/' ? page : '');
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  return site;
}

test('two nodes that would send a player to each other for ever do so once, and tell of one session', async () => {
  for (const [from, to] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    const sent = await fetch(cluster.node(from).flvUrl(KEY), { redirect: 'manual' });
    expect([sent.status, withoutSession(sent.headers.get('location'))]).toEqual([
      302,
      `${cluster.node(to).flvUrl(KEY)}?tw_hop=1`,
    ]);
  }
  const before = plays();
  const followed = await fetch(cluster.node('a').flvUrl(KEY));
  expect([followed.status, followed.redirected]).toEqual([200, true]);
  const session = sessionIn(followed.url);
  await followed.body?.cancel();

  const socket = new WebSocket(cluster.node('b').wsUrl(KEY), { followRedirects: true });
  await new Promise((resolve, reject) => socket.once('message', resolve).once('error', reject));
  expect(withoutSession(socket.url)).toBe(`${cluster.node('a').wsUrl(KEY)}?tw_hop=1`);
  socket.terminate();
  await played(before, { a: 1, b: 1 });
  await until('both are over', () => joined(session).length + joined(sessionIn(socket.url)).length === 6);
  expect(joined(session)).toEqual(['a play.redirected', 'b play.start', 'b play.end']);
  expect(joined(sessionIn(socket.url))).toEqual(['a play.start', 'a play.end', 'b play.redirected']);
  expect(await cluster.node('b').metric('tideway_redirects_total', 'door="ws-flv"')).toBe(1);
});

test('an RTMP player that finds a node full is told where to go, and plays there', async () => {
  const only = await CheckedPlayer.play(cluster.node('c'), KEY, 'http-flv');
  await until('c is full', async () => {
    const { status } = await fetch(cluster.node('c').flvUrl(KEY), { method: 'HEAD', redirect: 'manual' });
    return status === 302;
  });
  const sent = await RtmpClient.connected(cluster.node('c').rtmpPort);
  const { localPort } = sent.socket;
  sent.call('play', 1, null, 'show?token=x');
  const { args } = await sent.command('onStatus');
  const { host, pathname, search } = new URL(String(field(field(args[1], 'ex'), 'redirect2')));
  expect([pathname, withoutSession(search)]).toEqual(['/live/show', '?token=x&tw_hop=1']);
  expect(['a', 'b'].map((id) => `127.0.0.1:${cluster.node(id).rtmpPort}`)).toContain(host);
  const tcUrl = new URL(String(field(field(args[1], 'ex'), 'redirect')));
  expect(await sent.closed()).toBeLessThan(1_000);

  // As a Flash player goes on: the mark comes with the app.
  const there = await RtmpClient.connected(Number(tcUrl.port), `live${tcUrl.search}`);
  expect(await there.play('show?token=x')).toBe('NetStream.Play.Start');
  there.destroy();
  only.leave();
  const line = await until('it is logged', () =>
    cluster
      .node('c')
      .events('play.redirected')
      .find(({ door }) => door === 'rtmp'),
  );
  const session = tcUrl.searchParams.get('tw_session');
  expect(line).toMatchObject({ stream: KEY, to: host, remote: `127.0.0.1:${localPort}`, session });
  await until('it is known there', () => joined(String(session)).some((said) => said.endsWith('play.start')));
});

test('a session goes back to the node where it was, and `tideway why` tells', async () => {
  const first = await routeOf('a', 'region=eu&session=s1&protocol=rtmp');
  expect(first).toMatchObject({
    ...{ node: 'a', session: 's1', place: { region: 'eu', from: 'query' } },
    url: `${cluster.node('a').rtmpUrl(KEY)}?session=s1`,
  });
  expect(await routeOf('a', 'region=us&session=s2')).toMatchObject({ node: 'b' });
  expect(await routeOf('a', 'region=us&session=s1')).toMatchObject({
    node: 'a',
    why: expect.stringMatching(/^it is there already, or was before /),
  });
  expect(await routeOf('a', 'region=us', 'publish')).toMatchObject({
    ...{ node: 'b', url: cluster.node('b').rtmpUrl(KEY) },
    alternatives: expect.arrayContaining([{ node: 'a', url: cluster.node('a').rtmpUrl(KEY) }]),
  });
  expect((await routeOf('a', 'region=mars')).why).toContain('no node is in region mars');

  const { stdout } = await run(process.execPath, [
    ...[join(PROJECT_FOLDER, 'bin/tideway.js'), 'why', KEY, '--limit', '3'],
    ...['--url', `http://127.0.0.1:${cluster.node('a').httpPort}`],
  ]);
  const [head, ...rows] = String(stdout).split('\n');
  expect(head).toMatch(/^AGO +BY +WHAT +FOR +CHOSEN +WHY$/);
  expect(rows.slice(0, 3)).toEqual([
    expect.stringMatching(/ s +a +play +mars +\w /),
    expect.stringMatching(/ s +a +publish +us +b +/),
    expect.stringMatching(/ s +a +play +us +a +it is there already, or was before /),
  ]);
  expect(String(stdout)).toMatch(/\n\nCANDIDATE +REGION +SCORE .*\n\w +\w+ +\d\.\d{3} /);
});

test('where no node is left, operators are told why of each, and players that there is none', async () => {
  const players = ['a', 'b', 'c'].map((id) => captureHttpFlv(`${cluster.node(id).flvUrl(KEY)}?tw_hop=1`));
  await until('all play', () => players.every(({ frames }) => frames.length > 0));
  const api = `http://127.0.0.1:${cluster.node('c').httpPort}/api/v1/route/play?stream=${KEY}`;
  const answer = await until('no node is left', async () => {
    const response = await fetch(api);
    return response.status === 503 ? response : undefined;
  });
  expect(answer.headers.get('retry-after')).toBe('2');
  const { code, filtered } = (await answer.json()) as {
    code: string;
    filtered: { reason: string; nodes: string[] }[];
  };
  expect([code, filtered[0]?.reason, filtered[0]?.nodes.sort()]).toEqual([
    ...['route.no-node', 'players'],
    ['a', 'b', 'c'],
  ]);
  const none = await fetch(routeUrl('c'), { redirect: 'manual' });
  expect([none.status, none.headers.get('retry-after'), Object.keys((await none.json()) as object)]).toEqual([
    ...[503, '2'],
    ['type', 'title', 'status', 'code', 'detail'],
  ]);
  // It is over its own limit, and there is no better one.
  const refused = await fetch(cluster.node('c').flvUrl(KEY), { redirect: 'manual' });
  expect([refused.status, refused.headers.get('retry-after'), await refused.json()]).toMatchObject([
    ...[503, '5'],
    { code: 'play.too-many-players' },
  ]);
  expect(players.filter(({ ended }) => ended)).toEqual([]);

  // One of the others takes players again once its own has left.
  players[1]?.close();
  const again = await until('b is chosen', async () => {
    const response = await fetch(cluster.node('c').flvUrl(KEY), { redirect: 'manual' });
    return response.status === 302 ? response : undefined;
  });
  expect(withoutSession(again.headers.get('location'))).toBe(`${cluster.node('b').flvUrl(KEY)}?tw_hop=1`);
  for (const player of players) player.close();
});
