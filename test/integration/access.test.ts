// Who may do what with a real node, what is written down of it, and what is never repeated.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EventsAnswer } from '../../src/http/forms/alarms.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { until } from '../support/until.ts';

const ADMIN = 'token-of-admin-0123456789';
const EVA = 'token-of-eva-0123456789';
const GRAFANA = 'token-of-grafana-0123456789';
const SECRETS = [ADMIN, EVA, GRAFANA].flatMap((token) => [token, sha256Of(token)]);

function sha256Of(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

let node: RunningNode;

beforeAll(async () => {
  node = await runNode({
    ...{ 'node.id': 'solo', 'api.token': ADMIN, 'api.requireToken': 'true' },
    'api.tokens': `eva=operator:${sha256Of(EVA)},grafana=viewer:${sha256Of(GRAFANA)}`,
    ...{ 'watch.enabled': 'false', 'dashboard.enabled': 'false' },
  });
});

afterAll(() => node.stop());

/** The status and, of a refusal, the code. */
async function ask(path: string, token?: string, init: RequestInit = {}): Promise<string> {
  const headers = { ...init.headers, ...(token !== undefined && { Authorization: `Bearer ${token}` }) };
  const answer = await fetch(`http://127.0.0.1:${node.httpPort}${path}`, { ...init, headers });
  const { code = '' } = (await answer.json()) as { code?: string };
  return `${answer.status} ${code}`.trim();
}

const DRAIN = '/api/v1/node/drain';

describe('roles', () => {
  test('who looks may look, and change nothing; who operates may do both', async () => {
    const undo = { method: 'DELETE' };
    const kick = ['/api/v1/sessions/abcd1234', { method: 'DELETE' }] as const;
    expect({
      nobody: await ask('/api/v1/status'),
      grafana: [await ask('/api/v1/status', GRAFANA), await ask(DRAIN, GRAFANA, undo)],
      grafanaKicks: await ask(kick[0], GRAFANA, kick[1]),
      eva: [await ask('/api/v1/status', EVA), await ask(DRAIN, EVA, undo), await ask(kick[0], EVA, kick[1])],
      admin: [await ask('/api/v1/status', ADMIN), await ask(DRAIN, ADMIN, undo)],
    }).toEqual({
      nobody: '401 api.token',
      grafana: ['200', '403 api.role'],
      grafanaKicks: '403 api.role',
      eva: ['200', '200', '404 api.no-session'],
      admin: ['200', '200'],
    });
  });

  test('a token in the query opens nothing, and is repeated nowhere', async () => {
    for (const name of ['token', 'access_token', 'api.token', 'authorization']) {
      expect(await ask(`/api/v1/status?${name}=${ADMIN}`), name).toBe('401 api.token');
      // With a right one beside it, it is a parameter that nobody knows.
      expect(await ask(`/api/v1/status?${name}=${ADMIN}`, ADMIN), name).toBe('400 api.query');
    }
  });
});

test('each change leaves a line of who asked for it, also one that was refused; looking leaves none', async () => {
  const before = audits().length;
  await ask('/api/v1/nodes', EVA);
  await ask(DRAIN, GRAFANA, { method: 'DELETE', headers: { 'X-Request-Id': 'not-allowed' } });
  await ask(DRAIN, EVA, { method: 'DELETE', headers: { 'X-Request-Id': 'allowed' } });
  const lines = await until('both are written', () => {
    const since = audits().slice(before);
    return since.length === 2 && since;
  });
  const remote = expect.stringMatching(/^127\.0\.0\.1:\d+$/);
  const asked = { method: 'DELETE', path: DRAIN, remote };
  expect(lines).toEqual([
    expect.objectContaining({
      who: 'grafana',
      role: 'viewer',
      ...asked,
      status: 403,
      request: 'not-allowed',
    }),
    expect.objectContaining({ who: 'eva', role: 'operator', ...asked, status: 200, request: 'allowed' }),
  ]);
  const headers = { Authorization: `Bearer ${GRAFANA}` };
  const answer = await fetch(`http://127.0.0.1:${node.httpPort}/api/v1/events`, { headers });
  const { events } = (await answer.json()) as EventsAnswer;
  const [newest] = events.filter(({ event }) => event === 'api.audit');
  expect(newest?.fields).toMatchObject({ who: 'eva', status: 200, path: DRAIN });
});

test('who asks too often, or guesses, is told when to come back', async () => {
  const guesses = [];
  for (let at = 0; at < 11; at += 1) guesses.push(await ask('/api/v1/status', `guess-${at}`));
  expect(guesses.slice(-2)).toEqual(['401 api.token', '429 api.too-many-tries']);
  const refused = await fetch(`http://127.0.0.1:${node.httpPort}/api/v1/status`, {
    headers: { Authorization: `Bearer ${EVA}` },
  });
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '10']);
});

test('no token and no hash of one is in any line of the log, nor in metrics', async () => {
  const metrics = await (await fetch(`http://127.0.0.1:${node.httpPort}/metrics`)).text();
  expect(metrics).toContain('tideway_table_entries{table="api_callers"}');
  const written = JSON.stringify(node.lines) + metrics;
  expect(SECRETS.filter((secret) => written.includes(secret))).toEqual([]);
});

function audits() {
  return node.lines.filter(({ event }) => event === 'api.audit');
}
