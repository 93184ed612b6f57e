// The dashboard in a real browser, over a cluster that is only told of: each view in dark and light, on a phone, with the
// keyboard; a large cluster; a node that falls silent; a token; names and fields full of HTML.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DashboardPage } from '../support/dashboard-page.ts';
import { alarmOf, eventOf, MadeUpCluster, sessionOf } from '../support/made-up-cluster.ts';
import { until } from '../support/until.ts';
import { WatchBrowser } from '../support/watch-browser.ts';

let browser: WatchBrowser;

beforeAll(async () => {
  browser = await WatchBrowser.start();
});

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
});

const KEY = 'live/stream-00000';
const FIRST_VIEW_MS = 1000;
const VIEWS = {
  cluster: { hash: '#/', ready: 'Nodes' },
  streams: { hash: '#/streams', ready: '12 streams' },
  stream: { hash: `#/streams/${KEY}`, ready: 'Hops' },
  node: { hash: '#/nodes/n0', ready: 'Since this page is open' },
  alarms: { hash: '#/alarms', ready: 'Events' },
  why: { hash: '#/why', ready: 'Decisions of all streams' },
  traffic: { hash: '#/traffic', ready: 'Bytes and cost' },
};

async function smallCluster(): Promise<MadeUpCluster> {
  const cluster = await MadeUpCluster.start({ nodes: 9, streams: 12 });
  cluster.alarms = [alarmOf(KEY, '1'), { ...alarmOf(KEY, '0'), until: new Date().toISOString() }];
  cluster.events = Array.from({ length: 12 }, (_, at) => eventOf(at, 'play.start'));
  cluster.sessions = [0, 1, 2].map((at) => sessionOf(at, KEY));
  return cluster;
}

test('axe finds no serious fault in nodes, streams and alarms of any state, and on a phone nothing is wider than it', async () => {
  await using cluster = await smallCluster();
  await using page = await DashboardPage.open(browser, cluster.url);
  const inStates = new Set(['cluster', 'streams', 'stream', 'alarms', 'why']);
  for (const [name, { hash, ready }] of Object.entries(VIEWS)) {
    await page.goTo(hash, ready);
    // In states that a cluster without faults has not; the rest is looked at over a real one.
    for (const colorScheme of inStates.has(name) ? (['dark', 'light'] as const) : []) {
      await page.page.emulateMedia({ colorScheme });
      expect(await page.faults(), `${name} in ${colorScheme}`).toEqual([]);
    }
    await page.phone();
    await until(`${name} fits a phone`, async () => (await page.overhang()) === 0);
    await page.picture(`phone-${name}`);
    await page.desk();
  }
  expect(page.errors).toEqual([]);
  expect(page.documents).toBe(1);
});

test('axe finds what is wrong: a text that can not be read is a fault', async () => {
  await using cluster = await smallCluster();
  await using page = await DashboardPage.open(browser, cluster.url);
  await page.goTo('#/why', 'Decisions of all streams');
  await page.evaluate(`document.querySelector('h1').style.color = '#444'`);
  expect((await page.faults()).join()).toContain('color-contrast at h1');
});

test('all of the page but the player is 70 kB on the wire, and the node packs it', async () => {
  await using cluster = await smallCluster();
  const index = await (await fetch(cluster.url)).text();
  const files = [...index.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, file]) => file ?? '');
  expect(files.some((file) => file.endsWith('.js')) && files.some((file) => file.endsWith('.css'))).toBe(
    true,
  );
  let sum = index.length;
  for (const file of files) {
    const { headers } = await fetch(cluster.url + file, { headers: { 'Accept-Encoding': 'gzip' } });
    expect(headers.get('content-encoding'), file).toBe('gzip');
    expect(headers.get('cache-control'), file).toContain('immutable');
    sum += Number(headers.get('content-length'));
  }
  expect(sum).toBeGreaterThan(20_000);
  expect(sum).toBeLessThan(70_000);
});

test('200 nodes and 10,000 streams are there within a second, and searched and paged by the node', async () => {
  await using cluster = await MadeUpCluster.start({ nodes: 200, streams: 10_000 });
  const open = async (hash: string, ready: string) => {
    const page = await DashboardPage.open(browser, cluster.url + hash);
    return { page, readyMs: await page.msUntil(ready) };
  };
  // Other programs take their share of the machine now and then: the quickest of three is the page's own.
  const quickest = async (hash: string, rows: number) => {
    const ready = `document.querySelectorAll('tbody tr').length === ${rows}`;
    let best = await open(hash, ready);
    for (let tries = 1; tries < 3 && best.readyMs >= FIRST_VIEW_MS; tries += 1) {
      await best.page[Symbol.asyncDispose]();
      best = await open(hash, ready);
    }
    expect(best.readyMs, hash).toBeLessThan(FIRST_VIEW_MS);
    return best.page;
  };
  await using page = await quickest('', 200);
  await using streams = await quickest('#/streams', 50);
  const tab = streams.page;
  await tab.getByRole('heading', { name: '10,000 streams' }).waitFor();
  await tab.getByRole('button', { name: 'Next' }).click();
  await tab.getByRole('link', { name: 'live/stream-00050' }).waitFor();
  await tab.getByRole('searchbox', { name: 'Search keys' }).fill('stream-09999');
  await tab.getByRole('heading', { name: '1 stream', exact: true }).waitFor();
  await tab.getByRole('link', { name: 'live/stream-09999' }).waitFor();
  expect(await tab.evaluate('location.hash')).toBe('#/streams?q=stream-09999');
  expect([...page.errors, ...streams.errors]).toEqual([]);
});

test('when the node is gone the page says how old it is, and when it is back it goes on by itself', async () => {
  await using cluster = await smallCluster();
  await using page = await DashboardPage.open(browser, cluster.url);
  const tab = page.page;
  await tab.getByRole('link', { name: 'n8' }).waitFor();
  const { port } = cluster;
  await cluster.close();
  await tab.getByText(/as of \d\d:\d\d:\d\d, reconnecting$/).waitFor();
  expect(await tab.locator('main').getAttribute('class')).toBe('stale');
  await tab.getByRole('link', { name: 'n8' }).waitFor();
  expect(await page.faults()).toEqual([]);
  cluster.nodes = cluster.nodes.slice(0, 8);
  await cluster.open(port);
  await tab.getByText('live from n0').waitFor();
  await tab.getByRole('link', { name: 'n8' }).waitFor({ state: 'detached' });
  expect(await tab.locator('main').getAttribute('class')).toBe('');
  expect(page.documents).toBe(1);
});

test('a connection that falls silent without an end is noticed, and made anew', async () => {
  await using cluster = await smallCluster();
  await using page = await DashboardPage.open(browser, cluster.url);
  await page.page.getByText('live from n0').waitFor();
  expect(cluster.asked.get('/api/v1/events')).toBe(1);
  cluster.mute();
  await page.page.getByText(/reconnecting/).waitFor();
  await until('it connects again', () => cluster.asked.get('/api/v1/events') === 2, 10_000);
  await page.page.getByText('live from n0').waitFor();
  expect(page.errors).toEqual([]);
});

test('a hidden tab asks for nothing, and is up to date as soon as it is seen', async () => {
  await using cluster = await smallCluster();
  await using page = await DashboardPage.open(browser, `${cluster.url}#/streams`);
  await page.page.getByRole('heading', { name: '12 streams' }).waitFor();
  await page.see('hidden');
  await until('nobody listens', () => cluster.listenerCount === 0);
  const before = cluster.asked.get('/api/v1/streams') ?? 0;
  cluster.keys.push('live/new');
  // Longer than any poll of the view; the cluster counts seconds.
  const { seconds } = cluster;
  await until('some seconds have passed', () => cluster.seconds >= seconds + 3);
  expect((cluster.asked.get('/api/v1/streams') ?? 0) - before).toBeLessThanOrEqual(1);
  await page.see('visible');
  await page.page.getByRole('heading', { name: '13 streams' }).waitFor();
  await until('it listens again', () => cluster.listenerCount === 1);
});

test('who needs the token is asked for it, and it is in no address', async () => {
  await using cluster = await smallCluster();
  cluster.token = 'a-secret-of-the-api';
  await using page = await DashboardPage.open(browser, cluster.url);
  const tab = page.page;
  await tab.getByRole('heading', { name: 'The API is locked' }).waitFor();
  expect(await page.faults()).toEqual([]);
  await tab.getByRole('textbox', { name: /api.token/ }).fill('wrong');
  await tab.keyboard.press('Enter');
  await tab.getByRole('button', { name: 'Forget it' }).waitFor();
  await tab.getByRole('textbox', { name: /api.token/ }).fill(cluster.token);
  await tab.keyboard.press('Enter');
  await tab.getByRole('heading', { name: 'Nodes' }).waitFor();
  await page.goTo('#/streams', '12 streams');
  await tab.reload();
  await tab.getByRole('heading', { name: '12 streams' }).waitFor();
  expect(cluster.addresses.filter((address) => address.includes('secret'))).toEqual([]);
  expect(tab.url()).not.toContain('secret');
  expect(await page.evaluate('JSON.stringify(localStorage)')).not.toContain('secret');
  // The browser itself writes each 401 to the console.
  expect(page.errors.filter((error) => !error.includes('401'))).toEqual([]);
});

test('who comes from another machine to a node without a token is told the ways in', async () => {
  await using cluster = await smallCluster();
  cluster.isLoopbackOnly = true;
  await using page = await DashboardPage.open(browser, cluster.url);
  const tab = page.page;
  await tab.getByText(`ssh -N -L ${cluster.port}:127.0.0.1:${cluster.port} 127.0.0.1`).waitFor();
  await tab.getByRole('heading', { name: 'By a token' }).waitFor();
  expect(await page.faults()).toEqual([]);
});

test('an empty cluster says how to publish', async () => {
  await using cluster = await MadeUpCluster.start({ nodes: 1, streams: 0 });
  await using page = await DashboardPage.open(browser, cluster.url);
  await page.page.getByRole('heading', { name: 'Nothing is live yet' }).waitFor();
  const text = await page.page.getByRole('main').innerText();
  expect(text).toContain('rtmp://127.0.0.1/live');
  expect(text).toMatch(/ffmpeg -re .* -f flv "rtmp:\/\/127\.0\.0\.1\/live\/demo"/);
  expect(await page.faults()).toEqual([]);
  await page.picture('empty');
  await page.goTo('#/streams', 'Nothing is live yet');
});

test('an alarm is in the title, said once, and gone from the title when it ends', async () => {
  await using cluster = await smallCluster();
  cluster.alarms = [];
  await using page = await DashboardPage.open(browser, `${cluster.url}#/streams/${KEY}`);
  await page.page.getByRole('heading', { name: 'Hops' }).waitFor();
  expect(await page.page.title()).toBe(`${KEY} · Tideway`);
  const alarm = alarmOf(KEY, '9');
  cluster.tellAlarm(alarm);
  await until('it is said', async () =>
    /^Alarm: Hop is slow, live\/stream-00000, hop n0 → n1$/.test(
      await page.page.locator('#spoken').innerText(),
    ),
  );
  await until('the title has it', async () => (await page.page.title()) === `(1 alarm) ${KEY} · Tideway`);
  await page.page.getByRole('button', { name: /^n1/ }).getByText('replica').waitFor();
  expect(await page.evaluate(`document.querySelector('.hop-words.slow')?.textContent`)).toContain('slow');
  cluster.tellAlarm({ ...alarm, until: new Date().toISOString() });
  await until('the title is calm', async () => (await page.page.title()) === `${KEY} · Tideway`);
});

test('by keyboard alone: into the content, through a table, and a dialog that keeps the focus', async () => {
  await using cluster = await smallCluster();
  await using page = await DashboardPage.open(browser, cluster.url);
  const tab = page.page;
  const focused = () => page.evaluate<string>(`document.activeElement?.textContent ?? ''`);
  await tab.getByRole('link', { name: 'n8' }).waitFor();
  await tab.keyboard.press('Tab');
  expect(await focused()).toBe('Skip to the content');
  await tab.keyboard.press('Enter');
  expect(await page.evaluate('document.activeElement?.id')).toBe('main');
  await tab.getByRole('link', { name: 'n1', exact: true }).focus();
  for (const key of ['ArrowDown', 'ArrowDown', 'ArrowUp']) await tab.keyboard.press(key);
  expect(await focused()).toBe('n2');
  await tab.keyboard.press('Enter');
  await tab.getByRole('heading', { level: 1, name: 'n2' }).waitFor();
  expect(await page.evaluate('document.activeElement?.id')).toBe('main');

  await page.goTo(`#/streams/${KEY}`, 'Sessions');
  const end = tab.getByRole('button', { name: 'End player 10.0.0.2:5200' });
  await end.focus();
  await tab.keyboard.press('Enter');
  const dialog = tab.getByRole('dialog', { name: 'End this player?' });
  await dialog.waitFor();
  expect(await page.faults()).toEqual([]);
  const inDialog = () =>
    page.evaluate<boolean>(
      `document.activeElement === document.body || !!document.activeElement.closest('dialog')`,
    );
  for (let tabs = 0; tabs < 5; tabs += 1) {
    await tab.keyboard.press('Tab');
    expect(await inDialog()).toBe(true);
  }
  await tab.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  expect(await page.evaluate(`document.activeElement.getAttribute('aria-label')`)).toBe(
    'End player 10.0.0.2:5200',
  );
  expect(cluster.kicked).toEqual([]);
  // The page is drawn anew each second: a key may come to a button that is just being replaced.
  const opens = () =>
    dialog.waitFor({ timeout: 2_000 }).then(
      () => true,
      () => false,
    );
  await until('the dialog is open again', async () => {
    await end.press('Enter');
    return opens();
  });
  await dialog.getByRole('button', { name: 'End the player' }).click();
  await end.waitFor({ state: 'detached' });
  expect(cluster.kicked).toEqual(['s2abc']);
});

test('nodes that did not answer are named, and drawn as what they were', async () => {
  await using cluster = await smallCluster();
  cluster.stale = [{ node: 'n1', why: 'no-answer' }];
  await using page = await DashboardPage.open(browser, `${cluster.url}#/streams/${KEY}`);
  await page.page.getByText('1 node did not answer:').first().waitFor();
  await page.page.getByText('n1 (no answer in time)').first().waitFor();
  expect(await page.page.getByRole('button', { name: /^n1/ }).getAttribute('class')).toContain('stale');
  expect(await page.evaluate(`getComputedStyle(document.querySelector('.box.stale')).borderTopStyle`)).toBe(
    'dashed',
  );
  expect(await page.faults()).toEqual([]);
});

test('a node that came after the page was loaded is not played from, and the page says why', async () => {
  await using cluster = await smallCluster();
  await using page = await DashboardPage.open(browser, `${cluster.url}#/streams/${KEY}`);
  cluster.nodes = cluster.nodes.map((row) => (row.node === 'n3' ? { ...row, http: '127.0.0.1:29999' } : row));
  await page.page.getByRole('heading', { name: 'Hops' }).waitFor();
  await page.page.getByRole('combobox', { name: 'From' }).selectOption('n3');
  await page.page
    .getByText('This page may not play from n3. If it joined after the page was loaded, reload it.')
    .waitFor();
  expect(await page.page.getByRole('button', { name: 'Play', exact: true }).isDisabled()).toBe(true);
  expect(page.errors).toEqual([]);
});

test('an answer of another form takes one view, and not the page', async () => {
  await using cluster = await smallCluster();
  await using page = await DashboardPage.open(browser, cluster.url);
  await page.page.getByRole('link', { name: 'n8' }).waitFor();
  const { form } = cluster;
  cluster.form = ({ load: _, ...row }) => row as ReturnType<typeof form>;
  await page.page.getByRole('heading', { name: 'This view can not be shown' }).waitFor();
  await page.goTo('#/why', 'Decisions of all streams');
  cluster.form = form;
  await page.goTo('#/', 'Nodes');
});

test('texts full of HTML do nothing, whoever sends them', async () => {
  await using cluster = await smallCluster();
  cluster.infect(HOSTILE);
  await using page = await DashboardPage.open(browser, cluster.url);
  for (const [name, { hash, ready }] of Object.entries(VIEWS)) {
    await page.goTo(hash, ready);
    await page.page.getByText('<img', { exact: false }).first().waitFor({ state: 'attached' });
    expect(
      await page.evaluate(`document.querySelectorAll('#app img, #app script, #app iframe').length`),
      name,
    ).toBe(0);
  }
  expect(await page.evaluate('window.infected')).toBeUndefined();
  expect(page.errors).toEqual([]);
});

const HOSTILE = `"'><img src=x onerror="window.infected=1"><script>window.infected=2</script><iframe src=javascript:alert(1)>`;
