// What deploy/ has for Prometheus and Grafana: it is valid, alerts when it should, and each expression can be read.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { dashboardExpressions, dashboardText } from '../support/grafana.ts';

interface Rule {
  readonly alert: string;
  readonly labels: { readonly severity?: string };
  readonly annotations: { readonly summary?: string; readonly description?: string };
}

const alerts = readFileSync('deploy/prometheus/alerts.yaml', 'utf8');
const rules = (parse(alerts) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);

/** Its answer is of interest only where it fails. */
function promtool(...args: string[]): void {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  expect(status, `${stdout}${stderr}`).toBe(0);
}

test('the alert rules and the example configuration are valid', () => {
  promtool('check', 'rules', 'deploy/prometheus/alerts.yaml');
  promtool('check', 'config', 'deploy/prometheus/prometheus.yaml');
});

test('alerts go off when they should, and then only', () => {
  promtool('test', 'rules', 'deploy/prometheus/alerts.test.yaml');
});

test('each alert says how bad it is, what it is and what to do, and none comes twice', () => {
  for (const { alert, labels, annotations } of rules) {
    expect(['warning', 'critical'], alert).toContain(labels.severity);
    expect(annotations.summary, alert).toMatch(/\S/);
    expect(annotations.description?.length, alert).toBeGreaterThan(60);
  }
  expect(rules.length).toBeGreaterThan(20);
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
});

test('what alerts point to is there: log events, settings and codes', () => {
  const known = ['events', 'configuration', 'errors'].map((page) => readFileSync(`docs/${page}.md`, 'utf8'));
  const named = rules.flatMap(({ annotations }) => [
    ...(annotations.description ?? '').matchAll(/`([a-z]+(?:\.[a-zA-Z-]+)+)`/g),
  ]);
  const missing = named.filter(([name]) => !known.some((page) => page.includes(name)));
  expect(named.length).toBeGreaterThan(5);
  expect(missing.map(([, name]) => name)).toEqual([]);
});

test('tideway.json is what dashboard.mjs makes', () => {
  const made = spawnSync(process.execPath, ['deploy/grafana/dashboard.mjs'], { encoding: 'utf8' });
  expect(JSON.parse(dashboardText)).toEqual(JSON.parse(made.stdout));
});

test('the dashboard has its variables, and no panel twice in one place', () => {
  const { templating, schemaVersion, panels } = JSON.parse(dashboardText);
  expect(schemaVersion).toBe(39);
  expect(templating.list.map(({ name }: { name: string }) => name)).toEqual([
    'datasource',
    'region',
    'node',
    'stream',
  ]);
  const all = panels.flatMap((panel: { panels?: unknown[] }) => [panel, ...(panel.panels ?? [])]);
  const places = all.map(({ gridPos: { x, y } }: { gridPos: { x: number; y: number } }) => `${x} ${y}`);
  expect(new Set(places).size).toBe(places.length);
  expect(new Set(all.map(({ id }: { id: number }) => id)).size).toBe(all.length);
});

test('each expression of the dashboard can be read by Prometheus', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tideway-'));
  try {
    const recorded = dashboardExpressions().map((expr, at) => ({ record: `panel_${at}`, expr }));
    expect(recorded.length).toBeGreaterThan(50);
    const path = join(folder, 'rules.json');
    writeFileSync(path, JSON.stringify({ groups: [{ name: 'panels', rules: recorded }] }));
    promtool('check', 'rules', path);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
