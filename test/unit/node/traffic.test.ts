import { beforeEach, expect, test } from 'vitest';
import { parseStreamKey } from '../../../src/base/stream-key.ts';
import { questions } from '../../../src/http/forms/questions.ts';
import { Traffic } from '../../../src/node/traffic.ts';
import { MetricsText } from '../../../src/observe/metrics-text.ts';
import { Prices } from '../../../src/routing/prices.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const SHOW = parseStreamKey('live', 'show');
const GAME = parseStreamKey('live', 'game');
const ASKER = { request: 'r' };
const GB = 1e9;

let clock: FakeClock;
let traffic: Traffic;

beforeEach(() => {
  clock = new FakeClock();
  const prices = new Prices([
    { from: 'eu', to: 'us', price: 0.08 },
    { from: '*', to: 'asia', price: 0.5 },
  ]);
  traffic = new Traffic(
    { node: 'a', region: 'eu', maxNamed: 1 },
    { clock, prices: () => prices, isHere: () => true },
  );
  traffic.start();
  traffic.fromPublishers(SHOW, 'rtmp').bytes += 1 * GB;
  traffic.toPlayers(SHOW, 'ws-flv').bytes += 2 * GB;
  traffic.toNode(SHOW, 'us').bytes += 3 * GB;
  traffic.toNode(SHOW, 'eu').bytes += 4 * GB;
  traffic.fromNode(GAME, 'us').bytes += 5 * GB;
  traffic.toNode(GAME, 'asia').bytes += 6 * GB;
});

function rows(stream?: string, limit = 100) {
  const { total, rows: listed } = traffic.list({ ...(stream !== undefined && { stream }), limit }, ASKER);
  return { total, rows: [...listed].map((row) => questions.traffic.row.parse(row)) };
}

test('is told by stream, protocol, direction and regions, with what the way out to another region costs', () => {
  const { total, rows: listed } = rows();
  expect(total).toBe(6);
  for (const row of listed) expect(row).toMatchObject({ node: 'a', ownRegion: 'eu', windowBytes: row.bytes });
  expect(
    listed.map((row) => [row.stream, row.protocol, row.direction, row.region, row.bytes / GB, row.cost]),
  ).toEqual([
    [GAME, 'mesh', 'out', 'asia', 6, 3],
    [GAME, 'mesh', 'in', 'us', 5, 0],
    [SHOW, 'mesh', 'out', 'eu', 4, 0],
    [SHOW, 'mesh', 'out', 'us', 3, 0.24],
    [SHOW, 'ws-flv', 'out', null, 2, 0],
    [SHOW, 'rtmp', 'in', null, 1, 0],
  ]);
  expect(rows(GAME)).toMatchObject({ total: 2, rows: [{ region: 'asia' }, { region: 'us' }] });
  expect(rows(undefined, 1)).toMatchObject({ total: 6, rows: [{ stream: GAME, region: 'asia' }] });
});

test('the window passes, and what was carried since the start stays', () => {
  clock.advance(3_600_000);
  traffic.toNode(SHOW, 'us').bytes += 1 * GB;
  const [first] = rows(SHOW).rows;
  expect(first).toMatchObject({
    region: 'us',
    bytes: 4 * GB,
    windowBytes: 1 * GB,
    cost: 0.32,
    windowCost: 0.08,
  });
});

test('metrics sum it up, and name as many streams as they may', async () => {
  const text = await new MetricsText(clock).write(traffic.metrics());
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  expect(samples).toEqual([
    'tideway_player_bytes_total{protocol="ws-flv"} 2000000000',
    'tideway_publisher_bytes_total{protocol="rtmp"} 1000000000',
    'tideway_mesh_media_bytes_total{direction="out",region="us"} 3000000000',
    'tideway_mesh_media_bytes_total{direction="out",region="eu"} 4000000000',
    'tideway_mesh_media_bytes_total{direction="in",region="us"} 5000000000',
    'tideway_mesh_media_bytes_total{direction="out",region="asia"} 6000000000',
    'tideway_traffic_cost_total{region="us"} 0.24',
    'tideway_traffic_cost_total{region="eu"} 0',
    'tideway_traffic_cost_total{region="asia"} 3',
    'tideway_stream_sent_bytes_total{stream="live/show"} 9000000000',
    'tideway_stream_sent_bytes_total{stream="other"} 6000000000',
  ]);
});
