// The commands that ask a node, as programs: against answers that a node could give, and such that none should.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { EventRow } from '../../src/http/forms/alarms.ts';
import { runCommand } from '../support/run-command.ts';
import {
  alarmRow,
  alarmsAnswer,
  CLUSTER,
  nodeRow,
  nodesAnswer,
  sessionRow,
  statusAnswer,
  streamRow,
  streamsAnswer,
  treeAnswer,
  treeRow,
} from '../support/state-answers.ts';
import { until } from '../support/until.ts';

const TIDEWAY = fileURLToPath(new URL('../../bin/tideway.js', import.meta.url));
const EVIL = 'x\u001b]0;owned\u0007\u001b[2J';
const TAKEN = '\u001b[?1049h\u001b[?25l';
const GIVEN_BACK = '\u001b[?25h\u001b[?1049l';

/** Answers by method and path; what has none is answered 503. */
let answers: Record<string, unknown>;
/** Methods, paths and queries that were asked for. */
let asked: string[];
let live: ServerResponse | undefined;
let isThere = true;

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '', 'http://x');
  asked.push(`${request.method} ${url.pathname}${url.search}`);
  if (request.headers.accept === 'text/event-stream') {
    live = response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write('event: hello\ndata: {}\n\n');
    return;
  }
  const answer = isThere ? answers[`${request.method} ${url.pathname}`] : undefined;
  const detail = `the node is stopping ${EVIL}`;
  const problem = { type: '/errors#node.stopping', title: 'x', status: 503, code: 'node.stopping', detail };
  response.writeHead(answer === undefined ? 503 : 200, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(answer ?? problem));
});

function url(): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  asked = [];
  live = undefined;
  isThere = true;
  answers = {
    'GET /api/v1/status': statusAnswer(),
    'GET /api/v1/nodes': nodesAnswer(nodeRow('a', { version: EVIL })),
    'GET /api/v1/streams': streamsAnswer([streamRow({ video: EVIL, players: 5 })]),
    'GET /api/v1/streams/live/show': treeAnswer([treeRow('a')]),
    'GET /api/v1/alarms': alarmsAnswer([]),
    'GET /api/v1/sessions': {
      ...CLUSTER,
      total: 3,
      truncated: true,
      sessions: [sessionRow({ remote: EVIL })],
    },
    'DELETE /api/v1/sessions/abcd1234': sessionRow({ remote: EVIL }),
    'GET /api/v1/events': { ...CLUSTER, total: 2, truncated: false, events: [event(2), event(1)] },
  };
});

function event(id: number): EventRow {
  const time = '2026-01-01T00:00:00.000Z';
  return { id, node: 'a', time, level: 'warn', event: 'x', stream: null, fields: { id, name: EVIL } };
}

/** Runs a command that asks here. */
function tideway(...args: string[]) {
  return runCommand([...args, '--url', url()]);
}

/** Runs it on a terminal of its own, which script(1) makes. */
function onTerminal(env: NodeJS.ProcessEnv, ...args: string[]) {
  const command = ['exec', process.execPath, TIDEWAY, ...args, '--url', url()].join(' ');
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    env: { PATH: process.env.PATH, TERM: 'xterm', ...env },
  });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  const ended = once(child, 'close').then(([code]: unknown[]) => code);
  return { child, ended, shown: () => shown };
}

/** The program that script(1) runs: its only child. */
function programOf({ pid }: ChildProcess): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
}

test('status is one screen and 0 while all is well, 3 while it is not, and quiet says nothing', async () => {
  const well = await tideway('status');
  expect(well).toMatchObject({ code: 0, stderr: '' });
  expect(well.stdout).toMatch(/^Tideway 1\.2\.3 on a, [\s\S]*\nAll is well\.\n$/);
  expect(await tideway('status', '--quiet')).toEqual({ code: 0, stdout: '', stderr: '' });

  answers['GET /api/v1/status'] = statusAnswer({}, { alarms: 1 });
  answers['GET /api/v1/alarms'] = alarmsAnswer([alarmRow()]);
  const bad = await tideway('status');
  expect(bad.code).toBe(3);
  expect(bad.stdout).toContain('hop-slow');
  expect(await tideway('status', '-q')).toEqual({ code: 3, stdout: '', stderr: '' });

  isThere = false;
  expect(await tideway('status', '-q')).toEqual({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(
      /^tideway: \S+ refused with 503 node\.stopping: the node is stopping x\?\]0;owned\?\?\[2J\n$/,
    ),
  });
});

test('every list is text, or the answer as it is, and nothing in it commands the terminal', async () => {
  const lines = [
    'status',
    'nodes',
    'streams',
    'stream live/show',
    'alarms',
    'sessions',
    'events',
    'kick abcd1234',
  ];
  const paths = Object.keys(answers);
  for (const line of lines) {
    const text = await tideway(...line.split(' '));
    expect(text, line).toMatchObject({ code: 0 });
    expect(text.stdout, line).not.toMatch(/[^\n\u0020-\uffff]/);
    const json = await tideway(...line.split(' '), '--json');
    expect(json.code, line).toBe(0);
    expect(json.stdout, line).not.toMatch(/[^\n\u0020-\uffff]/);
    const path = paths.find((known) => known === asked.at(-1)?.split('?')[0]);
    expect(JSON.parse(json.stdout), line).toEqual(answers[path ?? '']);
  }
});

test('what is typed is asked for, and what is left out is told', async () => {
  await tideway('streams', '--search', 'sho w', '--sort', 'bitrate', '--limit', '5');
  const { stderr } = await tideway('sessions', '--stream', 'live/show', '--kind', 'player');
  expect(asked).toEqual([
    'GET /api/v1/streams?q=sho+w&sort=bitsPerS&limit=5',
    'GET /api/v1/sessions?stream=live%2Fshow&kind=player&state=open',
  ]);
  expect(stderr).toBe('tideway: there are more: 3 in all (--limit)\n');
});

test('top without a terminal is one text, or one document a line, after the other', async () => {
  const text = await tideway('top', '-n', '1');
  expect(text).toMatchObject({ code: 0, stderr: '' });
  expect(text.stdout).toContain('\nlive/show  a       live   2 m      1        5');
  const { stdout } = await tideway('top', '-n', '2', '--json', '--sort', 'since');
  const documents = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(documents).toHaveLength(2);
  expect(documents[1]).toEqual({
    status: answers['GET /api/v1/status'],
    nodes: answers['GET /api/v1/nodes'],
    streams: answers['GET /api/v1/streams'],
    alarms: answers['GET /api/v1/alarms'],
  });
  expect(asked).toContain('GET /api/v1/streams?sort=since&limit=100');
});

test('top takes the terminal, obeys keys, and gives it back', async () => {
  const { child, ended, shown } = onTerminal({}, 'top');
  await until('top is drawn', () => shown().includes('q quit'));
  child.stdin.write('b');
  await until('it asks for the new order', () =>
    asked.includes('GET /api/v1/streams?sort=bitsPerS&limit=100'),
  );
  child.stdin.write('t');
  await until('nodes are drawn', () => /REGION/.test(shown()));
  isThere = false;
  child.stdin.write('t');
  await until('it says that this is old', () => shown().includes('This is old.'));
  expect(shown().startsWith(TAKEN)).toBe(true);
  child.stdin.write('q');
  expect(await ended).toBe(0);
  expect(shown().endsWith(GIVEN_BACK)).toBe(true);
  expect(shown()).not.toContain('owned\u0007');
  expect(shown()).toContain('\u001b[1m');
});

test.each(['SIGTERM', 'Ctrl-C'] as const)('top gives the terminal back on %s', async (end) => {
  const { child, ended, shown } = onTerminal({ NO_COLOR: '1' }, 'top');
  await until('top is drawn', () => shown().includes('q quit'));
  if (end === 'Ctrl-C') child.stdin.write('\u0003');
  else process.kill(programOf(child), end);
  expect(await ended).toBe(0);
  expect(shown().endsWith(GIVEN_BACK)).toBe(true);
  expect(shown()).not.toContain('\u001b[1m');
});

test('events are followed: what was, then what comes, until nobody reads on', async () => {
  const child = spawn(process.execPath, [TIDEWAY, 'events', '--follow', '--url', url()], {
    env: { PATH: process.env.PATH },
  });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  const ended = once(child, 'close');
  await until('what was is told', () => shown.split('\n').length === 3);
  live?.write(
    `event: event\ndata: ${JSON.stringify(event(2))}\n\nevent: event\ndata: ${JSON.stringify(event(3))}\n\n`,
  );
  await until('what comes is told', () => shown.split('\n').length === 4);
  expect(shown.match(/ id=\d/g)).toEqual([' id=1', ' id=2', ' id=3']);
  expect(shown).not.toContain('\u0007');
  expect(asked).toEqual(['GET /api/v1/events?topics=events', 'GET /api/v1/events']);
  child.stdout.destroy();
  live?.write(`event: event\ndata: ${JSON.stringify(event(4))}\n\n`);
  live?.write(`event: event\ndata: ${JSON.stringify(event(5))}\n\n`);
  expect(await ended).toEqual([0, null]);
});
