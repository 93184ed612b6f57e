// What /metrics of a node of a cluster tells, and what is written about it: each metric is documented, and keeps the
// conventions of Prometheus.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { CheckedPlayer } from '../support/checked-player.ts';
import { Cluster } from '../support/cluster.ts';
import { meshed } from '../support/cluster-view.ts';
import { dashboardExpressions } from '../support/grafana.ts';
import { type Family, metricRows, namesIn, readMetrics, rowText } from '../support/metrics.ts';
import { PLANS } from '../support/numbered-media.ts';
import { NumberedPublisher } from '../support/numbered-publisher.ts';
import { until } from '../support/until.ts';

const KEY = 'live/show';
/** Labels that Prometheus puts on what it reads. */
const OF_PROMETHEUS = ['instance', 'job'];

let cluster: Cluster;
let texts: readonly string[];
/** Of the origin and of a replica, put together. */
const families = new Map<string, Family & { labels: Set<string> }>();
const documented = metricRows(readFileSync('docs/metrics.md', 'utf8'));

beforeAll(async () => {
  cluster = await Cluster.start({ ids: ['a', 'b'] });
  await meshed(cluster.nodes);
  const publisher = await NumberedPublisher.start(cluster.node('a'), {
    plan: PLANS['25 frames/s and audio'],
    key: KEY,
  });
  await until('it is published', () => publisher.sentId > 70);
  const player = await CheckedPlayer.play(cluster.node('b'), KEY, 'http-flv');
  await until('it is played elsewhere', () => player.check.frames > 60);
  texts = await Promise.all(cluster.nodes.map(async (node) => (await node.get('/metrics')).body));
  for (const text of texts) {
    for (const [name, family] of readMetrics(text)) {
      const known = families.get(name);
      if (known) for (const label of family.labels) known.labels.add(label);
      else families.set(name, { ...family, labels: new Set(family.labels) });
    }
  }
  player.leave();
  publisher.stop();
}, 60_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

test('docs/metrics.md has each metric, and no other', () => {
  const listed = documented.map(({ name }) => name);
  const missing = [...families].filter(([name]) => !listed.includes(name));
  expect(missing.map(([name, family]) => rowText(name, family)).join('\n'), 'rows to add').toBe('');
  expect(listed.filter((name) => !families.has(name))).toEqual([]);
  expect(listed.length, 'once each').toBe(new Set(listed).size);
});

test('docs/metrics.md says of each metric what it is, and by what it is told apart', () => {
  for (const row of documented) {
    const family = families.get(row.name);
    if (!family) continue;
    const { name, type, help } = row;
    expect({ name, type, help }).toEqual({ name, type: family.type, help: family.help });
    if (family.labels.size > 0) expect(row.labels, name).toEqual([...family.labels].sort());
  }
});

test('names and units are as Prometheus would have them', () => {
  for (const text of texts) {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text });
    expect([status, stdout.toString(), stderr.toString()]).toEqual([0, '', '']);
  }
});

test('each metric and label that the dashboard and the alerts ask for is one of a node', () => {
  const alerts = parse(readFileSync('deploy/prometheus/alerts.yaml', 'utf8')) as {
    readonly groups: readonly { readonly rules: readonly { readonly expr: string }[] }[];
  };
  const rules = alerts.groups.flatMap(({ rules }) => rules.map(({ expr }) => expr));
  const asked = [...dashboardExpressions(), ...rules].map((expr) => ({ expr, ...namesIn(expr) }));
  expect(asked.length).toBeGreaterThan(90);
  const known = new Map(documented.map(({ name, labels }) => [name, labels]));
  for (const { expr, metrics, labels } of asked) {
    // Of a histogram its parts are asked for.
    const names = metrics.map((name) => (known.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '')));
    expect(
      names.filter((name) => !families.has(name)),
      expr,
    ).toEqual([]);
    const may = new Set([...names.flatMap((name) => known.get(name) ?? []), ...OF_PROMETHEUS]);
    expect(
      labels.filter((label) => !may.has(label)),
      expr,
    ).toEqual([]);
  }
});
