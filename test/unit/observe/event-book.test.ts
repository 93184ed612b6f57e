import { beforeEach, describe, expect, test } from 'vitest';
import { type Log, tapped } from '../../../src/base/log.ts';
import { questions } from '../../../src/http/forms/questions.ts';
import { EventBook, type EventLine, type EventQuery } from '../../../src/observe/event-book.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeLog } from '../../support/media.ts';

let clock: FakeClock;
let written: FakeLog;
let book: EventBook;
let log: Log;

beforeEach(() => {
  clock = new FakeClock();
  written = new FakeLog();
  book = new EventBook({ node: 'node-1', clock });
  log = tapped(written, book.take);
});

function rows(query: Partial<EventQuery> = {}): EventLine[] {
  const { rows: listed } = book.list({ limit: 10_000, ...query });
  for (const row of listed) questions.events.row.parse(row);
  return listed;
}

const events = (query: Partial<EventQuery> = {}) => rows(query).map(({ event }) => event);

describe('the book', () => {
  test('keeps what is logged above debug, and the log has all of it as before', () => {
    log.debug({}, 'test.debug');
    log.info({ stream: 'live/a', epoch: 7 }, 'publish.start');
    clock.advance(1_500);
    log.warn({ peer: 'b', isDialled: true }, 'mesh.dial-failed');
    log.error({ stream: 'no stream' }, 'relay.seek-failed');
    expect(written.lines.map(({ event }) => event)).toEqual([
      'test.debug',
      'publish.start',
      'mesh.dial-failed',
      'relay.seek-failed',
    ]);
    expect(rows()).toEqual([
      {
        ...{ id: 3, node: 'node-1', time: '2026-01-01T00:00:01.500Z', level: 'error' },
        ...{ event: 'relay.seek-failed', stream: null, fields: {} },
      },
      {
        ...{ id: 2, node: 'node-1', time: '2026-01-01T00:00:01.500Z', level: 'warn' },
        ...{ event: 'mesh.dial-failed', stream: null, fields: { peer: 'b', isDialled: true } },
      },
      {
        ...{ id: 1, node: 'node-1', time: '2026-01-01T00:00:00.000Z', level: 'info' },
        ...{ event: 'publish.start', stream: 'live/a', fields: { epoch: 7 } },
      },
    ]);
  });

  test('is asked by stream, from an id on, and for so many', () => {
    for (let at = 1; at <= 6; at += 1) log.info({ stream: at % 2 ? 'live/a' : 'live/b' }, `relay.n${at}`);
    expect(events({ stream: 'live/a' })).toEqual(['relay.n5', 'relay.n3', 'relay.n1']);
    expect(events({ after: 4 })).toEqual(['relay.n6', 'relay.n5']);
    expect(events({ after: 6 })).toEqual([]);
    expect(book.list({ limit: 2 })).toMatchObject({ total: 6, rows: [{ id: 6 }, { id: 5 }] });
  });

  test('is asked for what is no older than so many ms', () => {
    log.info({}, 'relay.n1');
    clock.advance(1_000);
    log.info({}, 'relay.n2');
    clock.advance(1_000);
    expect(events({ withinMs: 2_000 })).toEqual(['relay.n2', 'relay.n1']);
    expect(events({ withinMs: 1_999 })).toEqual(['relay.n2']);
    expect(events({ withinMs: 0 })).toEqual([]);
  });

  test('has no players and no refusals, and what strangers can cause pushes out only its like', () => {
    log.info({}, 'node.start');
    log.info({ stream: 'live/a' }, 'publish.start');
    for (const event of ['play.start', 'play.end', 'play.redirected', 'http.refused', 'rtmp.refused'])
      log.info({}, event);
    expect(events()).toEqual(['publish.start', 'node.start']);
    const loud = [
      'rtmp.wire-error',
      'mesh.refused',
      'mesh.wire-error',
      'rtmp.accept-failed',
      'http.request-failed',
    ];
    for (let at = 0; at < 1_000; at += 1) log.warn({}, loud[at % loud.length] ?? '');
    expect(events()).toHaveLength(202);
    for (let at = 0; at < 2_000; at += 1)
      log.info({ stream: 'live/b' }, at % 2 ? 'publish.end' : 'relay.start');
    expect(events()).toHaveLength(701);
    for (let at = 0; at < 400; at += 1) log.info({ peer: 'b' }, 'mesh.link-open');
    const all = rows();
    expect(all).toHaveLength(1_000);
    expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).sort((a, b) => b - a));
  });

  test('shows no secret that a cut would go through', () => {
    const long = 'x'.repeat(285);
    book.take('info', { detail: `${long} redis://user:s3cret-s3cret@host:6379 is away` }, 'x.y');
    const [line] = book.list({ limit: 1 }).rows;
    expect(line?.fields).toEqual({ detail: `${long} redis://host:6` });
  });

  test('shows no secret, no query, no user of a URL, nothing that is not plain, and not too much of it', () => {
    const secret = { secret: 's3cret', token: 's3cret', query: 'key=s3cret', url: 'http://h/?s3cret' };
    book.take(
      'warn',
      {
        ...secret,
        deep: secret,
        list: ['s3cret'],
        detail: 'redis://user:s3cret@host:6379/1?x=s3cret is away, see http://h/a?key=s3cret "x"',
        bad: Number.NaN,
        err: new Error('failed at rtmp://h/live/a?key=s3cret'),
        long: 'x'.repeat(10_000),
      },
      'registry.away',
    );
    expect(rows()[0]?.fields).toEqual({
      detail: 'redis://host:6379/1 is away, see http://h/a "x"',
      err: 'failed at rtmp://h/live/a',
      long: 'x'.repeat(300),
    });
    log.info(Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`f${at}`, at])), 'node.start');
    expect(Object.keys(rows()[0]?.fields ?? {})).toHaveLength(24);
  });
});
