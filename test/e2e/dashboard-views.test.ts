// The dashboard in a real browser, over a cluster that is only told of: each view in dark and light, on a phone, with the
// keyboard; a large cluster; a node that falls silent; a token; names and fields full of HTML.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DashboardPage } from '../support/dashboard-page.ts';
import { alarmOf, eventOf, MadeUpCluster, sessionOf } from '../support/made-up-cluster.ts';
import { WatchBrowser } from '../support/watch-browser.ts';

let browser: WatchBrowser;

beforeAll(async () => {
  browser = await WatchBrowser.start();
});

afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
});

const KEY = 'live/stream-00000';
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

test.each(['dark', 'light'] as const)(
  'in %s, axe finds no serious fault in any view, on a desk and on a phone',
  async (colorScheme) => {
    await using cluster = await smallCluster();
    await using page = await DashboardPage.open(browser, cluster.url, { colorScheme });
    for (const [name, { hash, ready }] of Object.entries(VIEWS)) {
      await page.goTo(hash, ready);
      await page.picture(`views-${name}-${colorScheme}`);
      expect(await page.faults(), name).toEqual([]);
      if (colorScheme === 'dark') continue;
      await page.phone();
      expect(await page.overhang(), `${name} on a phone`).toBe(0);
      await page.picture(`views-${name}-phone`);
      await page.desk();
    }
    expect(page.errors).toEqual([]);
  },
);
