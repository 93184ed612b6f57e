import { beforeEach, describe, expect, test } from 'vitest';
import { parseStreamKey } from '../../../src/base/stream-key.ts';
import type { AlarmRow, EventRow } from '../../../src/http/forms/alarms.ts';
import type { StaleNode } from '../../../src/http/forms/common.ts';
import type { NodeRow, StatusAnswer } from '../../../src/http/forms/nodes.ts';
import type { QuestionKind } from '../../../src/http/forms/questions.ts';
import type { LiveSink, Topic } from '../../../src/http/live-api.ts';
import type { NodesTold } from '../../../src/node/cluster-ask.ts';
import { Live, MAX_BACKLOG_BYTES, MAX_LISTENERS, MAX_LISTENERS_OF_CALLER } from '../../../src/node/live.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeLog } from '../../support/media.ts';
import { settle } from '../../support/settle.ts';

const NOW = '2026-01-01T00:00:00.000Z';
const KEY = parseStreamKey('live', 'show');

interface Heard {
  readonly event: string;
  readonly data: unknown;
}

/** One who listens, and reads what it is told. */
class FakeSink implements LiveSink {
  readonly remote = '127.0.0.1:1';
  backlogBytes = 0;
  text = '';
  state: 'open' | 'ended' | 'cut' = 'open';

  write(text: string): void {
    this.text += text;
  }

  end(): void {
    this.state = 'ended';
  }

  cut(): void {
    this.state = 'cut';
  }

  /** What came since it was asked last. */
  heard(): Heard[] {
    const text = this.text;
    this.text = '';
    return text
      .split('\n\n')
      .filter((part) => part.includes('data: '))
      .map((part) => ({
        event: /^event: (.*)$/m.exec(part)?.[1] ?? '',
        data: JSON.parse(/^data: (.*)$/m.exec(part)?.[1] ?? ''),
      }));
  }

  /** The names alone. */
  names(): string[] {
    return this.heard().map(({ event }) => event);
  }
}

let clock: FakeClock;
let log: FakeLog;
let nodes: NodeRow[];
let alarms: AlarmRow[];
let events: EventRow[];
let stale: StaleNode[];
let asked: string[];
let trees: number;
/** Who is let in, but for these. */
let revoked: Set<string>;
let live: Live;

beforeEach(() => {
  [clock, log] = [new FakeClock(), new FakeLog()];
  [nodes, alarms, events, stale, asked, trees] = [[], [], [], [], [], 0];
  revoked = new Set();
  live = new Live({
    ...{ clock, log, node: 'a', version: '1.2.3' },
    state: {
      envelope: () => ({ asOf: NOW }),
      status: () => ({ version: '1.2.3' }) as StatusAnswer,
      nodes: () => ({ node: 'a', registry: 'up', asOf: NOW, nodes }),
      stream: async () => {
        trees += 1;
        return undefined;
      },
      streams: () => Promise.reject(new Error('nobody asked for it')),
    },
    ask: {
      all: async <K extends QuestionKind>(kind: K) => {
        asked.push(kind);
        const rows = (kind === 'alarms' ? alarms : events) as unknown as NodesTold<K>['rows'];
        return { rows, total: rows.length, stale };
      },
      some: () => Promise.reject(new Error('nobody asked for it')),
    },
  });
});

function listen(topics: Topic[], stream?: typeof KEY, name = 'eva'): FakeSink & { gone: () => void } {
  const sink = new FakeSink();
  const caller = { name, isStillAdmitted: () => !revoked.has(name) };
  const gone = live.listen({ topics: new Set(topics), stream }, sink, caller);
  return Object.assign(sink, { gone });
}

/** One round, and what comes of it. */
async function pass(ms: number): Promise<void> {
  clock.advance(ms);
  await settle();
}

function nodeRow(node: string, players: number, leaseMs = 3_000): NodeRow {
  return { node, load: { players }, leaseMs, link: null } as NodeRow;
}

function alarm(id: string, fields: Partial<AlarmRow> = {}): AlarmRow {
  return { id, node: 'b', kind: 'stalled', since: NOW, until: null, ...fields } as AlarmRow;
}

function event(id: number, time = NOW): EventRow {
  return { id, node: 'b', time, event: 'stream.live' } as EventRow;
}

test('who comes is greeted, told at once what is there, and then what it wants each second', async () => {
  const sink = listen(['status', 'nodes', 'alarms', 'events']);
  expect(sink.text).toMatch(/^retry: 2000\nevent: hello\nid: 1\ndata: \{"node":"a","version":"1.2.3",/);
  nodes = [nodeRow('a', 0)];
  await pass(0);
  expect(sink.names()).toEqual(['hello', 'status', 'nodes']);
  await pass(999);
  expect(sink.names()).toEqual([]);
  await pass(1);
  expect(sink.names()).toEqual(['status']);
  expect(asked).toEqual(['alarms', 'events', 'alarms', 'events']);
});

test('nobody is asked for what nobody wants, and nothing is looked at while nobody listens', async () => {
  const sink = listen(['status']);
  for (const ms of [0, 1_000, 1_000, 1_000]) await pass(ms);
  expect([asked, trees, live.rounds]).toEqual([[], 0, 4]);
  sink.gone();
  sink.gone();
  await pass(5_000);
  expect([live.rounds, clock.timerCount]).toEqual([4, 0]);
});

test('one round is for all who listen', async () => {
  const sinks = Array.from({ length: 5 }, () => listen(['alarms'], KEY));
  await pass(0);
  await pass(1_000);
  expect([asked.length, trees, live.rounds]).toEqual([2, 2, 2]);
  for (const sink of sinks) expect(sink.names()).toEqual(['hello', 'stream', 'stream']);
});

test('one who comes between two rounds waits 200 ms at most, and not for others who come', async () => {
  const first = listen(['status']);
  await pass(0);
  first.heard();
  await pass(50);
  const second = listen(['status']);
  await pass(149);
  expect(second.names()).toEqual(['hello']);
  await pass(1);
  expect(second.names()).toEqual(['status']);
  expect(live.rounds).toBe(2);
});

test('nodes are told whole to who is new, and to others as they change or go', async () => {
  nodes = [nodeRow('a', 0), nodeRow('b', 0), nodeRow('c', 0)];
  const old = listen(['nodes']);
  await pass(0);
  expect(old.heard()[1]?.data).toEqual({ asOf: NOW, changed: nodes, gone: [] });
  nodes = [nodeRow('a', 0, 2_000), nodeRow('b', 7), nodeRow('d', 0)];
  const fresh = listen(['nodes']);
  await pass(1_000);
  expect(old.heard()[0]?.data).toEqual({
    asOf: NOW,
    changed: [nodeRow('b', 7), nodeRow('d', 0)],
    gone: ['c'],
  });
  expect(fresh.heard()[1]?.data).toEqual({ asOf: NOW, changed: nodes, gone: [] });
  await pass(1_000);
  expect(old.names(), 'nothing has changed').toEqual([]);
  nodes = [nodeRow('a', 0, 0), ...nodes.slice(1)];
  await pass(1_000);
  expect(old.heard()[0]?.data, 'a beats no more').toMatchObject({ changed: [{ node: 'a', leaseMs: 0 }] });
});

describe('alarms', () => {
  const told = (sink: FakeSink) =>
    sink.heard().flatMap(({ event: name, data }) => {
      const { id, until } = data as AlarmRow;
      return name === 'alarm' ? [[id, until]] : [];
    });

  test('that last are told to who is new; to others each as it is raised, and as it ends', async () => {
    alarms = [alarm('1'), alarm('2', { until: NOW })];
    const old = listen(['alarms']);
    await pass(0);
    expect(told(old)).toEqual([['1', null]]);
    alarms = [alarm('1', { until: NOW }), alarm('3')];
    const fresh = listen(['alarms']);
    await pass(1_000);
    expect(told(old)).toEqual([
      ['1', NOW],
      ['3', null],
    ]);
    expect(told(fresh)).toEqual([['3', null]]);
    await pass(1_000);
    expect(told(old)).toEqual([]);
  });

  test('of a node that does not answer last; they end when it is another process, or gone', async () => {
    alarms = [alarm('1')];
    const sink = listen(['alarms']);
    await pass(0);
    expect(told(sink)).toEqual([['1', null]]);
    [alarms, stale] = [[], [{ node: 'b', why: 'no-answer' }]];
    await pass(1_000);
    expect(told(sink)).toEqual([]);
    [alarms, stale] = [[alarm('1', { since: '2026-01-01T00:00:09.000Z' })], []];
    await pass(1_000);
    expect(told(sink)).toEqual([
      ['1', null],
      ['1', NOW],
    ]);
  });
});

test('events are told from when one listens on, each once, oldest first, of a process that came back too', async () => {
  events = [event(2), event(1)];
  const sink = listen(['events']);
  await pass(0);
  events = [event(4, '2026-01-01T00:00:02.000Z'), event(3), event(2), event(1)];
  await pass(1_000);
  events = [event(1, '2026-01-01T00:00:03.000Z'), ...events];
  await pass(1_000);
  const told = sink.heard().filter(({ event: name }) => name === 'event');
  expect(told.map(({ data }) => [(data as EventRow).id, (data as EventRow).time.slice(17, 19)])).toEqual([
    [3, '00'],
    [4, '02'],
    [1, '03'],
  ]);
});

test('what came while nobody listened is not told to who comes next', async () => {
  events = [event(1)];
  const first = listen(['events']);
  await pass(0);
  first.gone();
  events = [event(2), event(1)];
  const second = listen(['events']);
  await pass(1_000);
  events = [event(3), event(2), event(1)];
  await pass(1_000);
  const told = second.heard().filter(({ event: name }) => name === 'event');
  expect(told.map(({ data }) => (data as EventRow).id)).toEqual([3]);
});

test('ids count up over all that is told', async () => {
  const sink = listen(['status']);
  await pass(0);
  await pass(1_000);
  expect(sink.text.match(/^id: .*$/gm)).toEqual(['id: 1', 'id: 2', 'id: 3']);
});

test('a connection on which nothing is told is kept open by a comment each 15 s', async () => {
  const sink = listen([]);
  await pass(0);
  sink.heard();
  await pass(14_000);
  expect(sink.text).toBe('');
  await pass(1_000);
  expect(sink.text).toBe(': ping\n\n');
});

test('who takes less than it is told is closed, with a line in the log, and others go on', async () => {
  const slow = listen(['status']);
  const other = listen(['status']);
  slow.backlogBytes = MAX_BACKLOG_BYTES;
  await pass(0);
  expect(slow.state).toBe('open');
  slow.backlogBytes += 1;
  await pass(1_000);
  expect([slow.state, other.state, live.slow]).toEqual(['cut', 'open', 1]);
  expect(log.of('live.listener-slow')).toMatchObject([{ remote: '127.0.0.1:1', backlogBytes: 1_048_577 }]);
  slow.heard();
  await pass(1_000);
  expect(slow.text).toBe('');
  expect(other.names()).toEqual(['hello', 'status', 'status', 'status']);
});

test('64 may listen; one more is refused, until one goes', async () => {
  const sinks = Array.from({ length: MAX_LISTENERS }, (_, at) => listen([], undefined, `caller-${at % 4}`));
  expect(() => listen([])).toThrow(expect.objectContaining({ code: 'api.too-many-listeners' }));
  expect(live.refused).toBe(1);
  sinks[0]?.gone();
  expect(() => listen([])).not.toThrow();
});

test('one caller has 16 of the places, and again one when it goes from one; others have theirs', () => {
  const sinks = Array.from({ length: MAX_LISTENERS_OF_CALLER }, () => listen([]));
  expect(() => listen([])).toThrow(expect.objectContaining({ code: 'api.too-many-of-caller' }));
  expect(() => listen([], undefined, 'grafana')).not.toThrow();
  sinks[0]?.gone();
  expect(() => listen([])).not.toThrow();
  expect([sinks.length, live.refused]).toEqual([16, 1]);
});

test('who is not let in any more by a new configuration is ended, and nobody else', async () => {
  const [eva, grafana] = [listen(['status']), listen(['status'], undefined, 'grafana')];
  await pass(0);
  live.admitAgain();
  expect([eva.state, grafana.state]).toEqual(['open', 'open']);
  revoked.add('eva');
  live.admitAgain();
  await pass(1_000);
  expect([eva.state, eva.names()]).toEqual(['ended', ['hello', 'status']]);
  expect([grafana.state, grafana.names()]).toEqual(['open', ['hello', 'status', 'status']]);
  expect(log.of('live.listener-revoked')).toMatchObject([{ who: 'eva', remote: '127.0.0.1:1' }]);
  expect(live.revoked).toBe(1);
});

test('a node that stops ends them, and takes no more', async () => {
  const sink = listen(['status']);
  await pass(0);
  live.stop();
  live.stop();
  expect([sink.state, clock.timerCount]).toEqual(['ended', 0]);
  expect(() => listen([])).toThrow(expect.objectContaining({ code: 'node.stopping' }));
});

test('a round that fails is logged, and the next one is looked at', async () => {
  const sink = listen(['status'], KEY);
  nodes = undefined as unknown as NodeRow[];
  const broken = listen(['nodes']);
  await pass(0);
  expect(log.of('live.round-failed').length).toBe(1);
  nodes = [];
  await pass(1_000);
  expect(sink.names()).toEqual(['hello', 'status', 'status', 'stream']);
  expect(broken.names()).toEqual(['hello', 'nodes']);
});
