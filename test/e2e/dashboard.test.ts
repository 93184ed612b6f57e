// The dashboard in a real browser, over a real cluster: three nodes with Redis, and ffmpeg that publishes to the first. The
// second relays to the third, and is killed while a preview plays from the third.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FrameKind } from '../../src/format/frame.ts';
import { Cluster } from '../support/cluster.ts';
import { streamAt } from '../support/cluster-view.ts';
import { DashboardPage } from '../support/dashboard-page.ts';
import { Program } from '../support/programs.ts';
import { RtmpClient } from '../support/rtmp-client.ts';
import { Sources } from '../support/sources.ts';
import { until } from '../support/until.ts';
import { WatchBrowser } from '../support/watch-browser.ts';

const KEY = 'live/show';
/** Every kind of character that a name may have, and as many. */
const ODD_KEY = `A-z_0.9/-_.${'Odd-name_0.'.repeat(6).slice(0, 61)}`;
const HTML = `"><img src=x onerror="window.infected=1"><script>window.infected=2</script>`;
/** No codec that anybody knows: four bytes that are shown as they came. */
const ODD_CODEC = '<b>x';

let cluster: Cluster;
let browser: WatchBrowser;
let publisher: Program;
let odd: RtmpClient;
const sources = new Sources();

beforeAll(async () => {
  browser = await WatchBrowser.start();
  cluster = await Cluster.start({
    ids: ['a', 'b', 'c'],
    // One of the publishers sends two messages, and is there to the end.
    settings: { 'publish.idleMs': '600000' },
    nodeSettings: {
      a: { 'relay.softChildren': '1', 'node.region': 'eu' },
      b: { 'node.region': 'eu' },
      c: { 'node.region': 'us' },
    },
  });
  const { path } = await sources.get('audio and video');
  publisher = new Program('ffmpeg', [
    ...['-v', 'error', '-re', '-stream_loop', '-1', '-i', path, '-c', 'copy'],
    ...[
      '-metadata',
      `title=${HTML}`,
      '-metadata',
      `encoder=${HTML}`,
      '-f',
      'flv',
      cluster.node('a').rtmpUrl(KEY),
    ],
  ]);
  const [app, name = ''] = ODD_KEY.split('/');
  odd = await RtmpClient.publishing(cluster.node('a').rtmpPort, name, app);
  odd.metadata({ encoder: HTML, [HTML]: HTML, width: HTML });
  const payload = Buffer.concat([Buffer.from([0x90]), Buffer.from(ODD_CODEC), Buffer.alloc(8)]);
  odd.frame({ kind: FrameKind.video, timestamp: 0, payload });
  await until('it is live', async () => (await streamAt(cluster.node('a'), KEY))?.origin?.state === 'live');
});

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  odd?.destroy();
  await publisher?.kill();
  await cluster?.[Symbol.asyncDispose]();
  sources[Symbol.dispose]();
});

function url(hash = ''): string {
  return `http://127.0.0.1:${cluster.node('a').httpPort}/${hash}`;
}

/** Plays at a node, and takes what comes, until it is disposed of. */
function player(node: string, key = KEY): Disposable {
  const ended = new AbortController();
  void fetch(cluster.node(node).flvUrl(key), { signal: ended.signal })
    .then(async ({ body }) => {
      for await (const _ of body ?? []);
    })
    .catch(() => {});
  return { [Symbol.dispose]: () => ended.abort() };
}

/** What the page says of each node of the tree, for who can't see it. */
function said(page: DashboardPage): Promise<string[]> {
  return page.evaluate<string[]>(
    `[...document.querySelectorAll('.tree > ul > li')].map((item) => item.textContent)`,
  );
}

async function saysOf(page: DashboardPage, what: RegExp, withinMs = 10_000): Promise<void> {
  let last: string[] = [];
  await until(
    `the tree says ${what}`,
    async () => {
      last = await said(page);
      return last.some((each) => what.test(each));
    },
    withinMs,
  ).catch((error: unknown) => {
    throw new Error(`it says ${last.join(' ')}`, { cause: error });
  });
}

test('the tree appears, a preview plays from another node, and goes on as its relay is killed and the tree is drawn anew', async () => {
  using _atB = player('b');
  await until('b has it', async () => (await streamAt(cluster.node('b'), KEY))?.here?.upstream === 'a');
  using _atC = player('c');
  await until('b feeds c', async () => (await streamAt(cluster.node('c'), KEY))?.here?.upstream === 'b');

  await using page = await DashboardPage.open(browser, url());
  await page.page.getByRole('link', { name: 'c', exact: true }).waitFor();
  await page.picture('cluster');
  await page.goTo('#/streams', '2 streams');
  await page.page.getByRole('link', { name: KEY }).click();
  await saysOf(page, /^a: origin, live, 0 players\.$/);
  await saysOf(page, /^b: replica fed by a, [\d.]+ ms later, hop good, live, 1 player\.$/);
  await saysOf(page, /^c: replica fed by b, [\d.]+ ms later, hop good, live, 1 player\.$/);

  await page.page.getByRole('combobox', { name: 'From' }).selectOption('c');
  await page.page.getByRole('button', { name: 'Play', exact: true }).click();
  await page.plays(1);
  await saysOf(page, /^c: .* 2 players\.$/);
  await page.page.getByRole('button', { name: /^c/ }).click();
  await page.page.getByRole('heading', { name: 'Way to c' }).waitFor();
  expect(
    await page.evaluate(`[...document.querySelectorAll('.way-name')].map((name) => name.textContent)`),
  ).toEqual(['a → b', 'b → c']);
  await until('the picture is measured', async () => (await page.page.getByText('320 × 180').count()) > 0);
  expect(await page.faults()).toEqual([]);
  await page.picture('stream-before-the-kill');

  await page.evaluate(`document.querySelector('video').isTheSame = true`);
  const before = await page.time();
  const killedMs = performance.now();
  await cluster.node('b').kill();
  await saysOf(page, /^c: replica fed by a, /, 3000 - (performance.now() - killedMs));
  await saysOf(page, /^b: .*did not answer/, 3000 - (performance.now() - killedMs));
  await page.picture('stream-after-the-kill');
  await page.plays(2);
  expect(await page.time()).toBeGreaterThan(before + 2);
  expect(await page.evaluate(`document.querySelector('video').isTheSame`)).toBe(true);
  expect(cluster.node('c').events('play.end')).toEqual([]);
  await until(
    'b is gone from the tree',
    async () => !(await said(page)).some((each) => each.startsWith('b:')),
    15_000,
  );
  await page.plays(0.5);
  await page.picture('stream-when-the-relay-is-gone');
  expect(page.documents).toBe(1);
  expect(page.errors).toEqual([]);
  await cluster.restart('b');
});

test('axe finds no serious fault in any view, dark and light', async () => {
  using _atC = player('c');
  const views: readonly (readonly [string, string | RegExp])[] = [
    ['#/', 'Nodes'],
    ['#/streams', '2 streams'],
    [`#/streams/${KEY}`, 'Hops'],
    ['#/nodes/c', 'Links'],
    ['#/alarms', 'Events'],
    ['#/why', 'Decisions of all streams'],
    ['#/traffic', 'Bytes and cost'],
  ];
  await using page = await DashboardPage.open(browser, url());
  for (const [hash, heading] of views) {
    await page.goTo(hash, heading);
    await page.settled();
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.page.emulateMedia({ colorScheme });
      expect(await page.faults(), `${hash} in ${colorScheme}`).toEqual([]);
      await page.picture(`${hash.replace(/\W+/g, '-').replace(/^-/, '') || 'cluster'}-${colorScheme}`);
    }
  }
  expect(page.documents).toBe(1);
  expect(page.errors).toEqual([]);
});

test('a stream with every odd character in its name, and metadata and a codec full of HTML, does nothing but show', async () => {
  await using page = await DashboardPage.open(browser, url('#/streams'));
  const { page: tab } = page;
  await tab.getByRole('link', { name: ODD_KEY }).click();
  await tab.getByRole('heading', { level: 1, name: ODD_KEY }).waitFor();
  await saysOf(page, /^a: origin, live, 0 players\.$/);
  await page.phone();
  await until('it fits a phone', async () => (await page.overhang()) === 0);
  await page.picture('odd-name-phone');
  for (const hash of [
    `#/streams/${ODD_KEY}`,
    `#/streams/${KEY}`,
    '#/streams',
    '#/nodes/a',
    '#/alarms',
    '#/traffic?by=stream',
  ]) {
    await page.goTo(hash, /./);
    await page.settled();
    expect(
      await page.evaluate(`document.querySelectorAll('#app :is(img, script, iframe, b)').length`),
      hash,
    ).toBe(0);
  }
  expect(await page.evaluate('window.infected')).toBeUndefined();
  expect(page.errors).toEqual([]);
});

test('a session is ended from the page, at whatever node it is', async () => {
  using _atC = player('c');
  await using page = await DashboardPage.open(browser, url(`#/streams/${KEY}`));
  const { page: tab } = page;
  const row = tab.getByRole('row').filter({ hasText: 'http-flv' });
  await row.getByRole('button', { name: /^End player/ }).click();
  await tab.getByRole('dialog').getByRole('button', { name: 'End the player' }).click();
  await row.waitFor({ state: 'detached' });
  await until('c ended it', () =>
    cluster
      .node('c')
      .events('play.end')
      .some(({ reason }) => reason === 'session.kicked'),
  );
  expect(page.errors).toEqual([]);
});
