import { beforeEach, describe, expect, test } from 'vitest';
import { parseStreamKey } from '../../../src/base/stream-key.ts';
import { type QuestionArgs, questions } from '../../../src/http/forms/questions.ts';
import type { SessionRow } from '../../../src/http/forms/sessions.ts';
import type { Player } from '../../../src/media/player.ts';
import { Publication } from '../../../src/media/publication.ts';
import { Stream } from '../../../src/media/stream.ts';
import { Turns } from '../../../src/media/turns.ts';
import { PublisherSeat } from '../../../src/node/publisher-seat.ts';
import { SessionBook } from '../../../src/node/session-book.ts';
import {
  FakeSink,
  GONE,
  KEY,
  kindOf,
  NEWER,
  type PayloadName,
  payloadOf,
  STREAM_OPTIONS,
  StreamBench,
  TestEncoder,
} from '../../support/media.ts';

const ALL = { limit: 100 };
const ASKER = { request: 'req-1' };

let bench: StreamBench;
let book: SessionBook;
let stream: Stream;
let nextId: number;
/** Codes by which publishers were ended. */
let endedBy: string[];
/** Are ends told, and which were. */
let tells: boolean;
let told: string[];

beforeEach(() => {
  tells = false;
  told = [];
  bench = new StreamBench();
  nextId = 0;
  endedBy = [];
  const { clock, log, budget, counters } = bench;
  book = new SessionBook({
    ...{ clock, log, node: 'node-1' },
    newId: () => {
      nextId += 1;
      return `made${String(nextId).padStart(8, '0')}`;
    },
    tellsEnd: () => tells,
    ended: (action, { session }) => told.push(`${action} ${session}`),
  });
  stream = new Stream(KEY, STREAM_OPTIONS, {
    ...{ clock, log, budget, counters, turns: new Turns(clock), sessions: book },
    changed: () => {},
  });
});

/** A publisher that is not on air yet. */
function ask(session: string): PublisherSeat {
  const { clock, budget } = bench;
  const seat = new PublisherSeat(
    {
      ...{ key: KEY, query: new URLSearchParams(), protocol: 'rtmp', remote: '203.0.113.2:40000', session },
      ended: ({ code }) => endedBy.push(code),
    },
    {
      received: () => ({ bytes: 0 }),
      ...{ budget, now: () => clock.now(), standsBy: () => {}, stoodBy: () => {} },
      pace: () => ({ maxMbps: 1_000, maxFramesPerSecond: 1_000 }),
      left: (gone, why) => book.closed(gone, why),
    },
  );
  book.opened(seat);
  return seat;
}

function goOnAir(seat: PublisherSeat): Publication {
  const { clock, log, budget } = bench;
  const grant = { epoch: stream.epoch + 1, stream, holds: { holdMs: 30_000, holdAfterStopMs: 30_000 } };
  const publication = new Publication(seat.request, grant, { clock, log, budget });
  stream.attach(publication, NEWER);
  seat.goOnAir(publication);
  return publication;
}

function send(seat: PublisherSeat, name: PayloadName, timestamp: number, size = 0): void {
  seat.append(kindOf(name), timestamp, payloadOf(name, timestamp, size));
}

function play(session: string, format = 'http-flv'): FakeSink {
  const sink = new FakeSink();
  sink.player = stream.play(new TestEncoder(format), sink, { remote: `203.0.113.9:${nextId}`, session });
  bench.clock.turn();
  return sink;
}

function rows(args: Partial<QuestionArgs<'sessions'>> = {}): SessionRow[] {
  const { rows: listed } = book.list({ ...ALL, ...args }, ASKER);
  return [...listed].map((row) => questions.sessions.row.parse(row));
}

const ids = (args: Partial<QuestionArgs<'sessions'>> = {}) => rows(args).map(({ id }) => id);

describe('an id', () => {
  test('is the one that another node gave, unless it is in use here, is none, or there is none', () => {
    const brought = new URLSearchParams({ tw_session: 'abc123def456' });
    expect(book.idOf(brought)).toBe('abc123def456');
    const sink = play('abc123def456');
    expect(book.idOf(brought)).toBe('made00000001');
    expect(book.idOf(new URLSearchParams({ tw_session: '../../etc/pa' }))).toBe('made00000002');
    expect(book.idOf(new URLSearchParams())).toBe('made00000003');
    sink.player?.leave(GONE);
    expect(book.idOf(brought)).toBe('abc123def456');
  });

  test('that came into use while its player waited gives way to a new one', () => {
    play('abc123def456');
    const second = play('abc123def456');
    expect(second.player?.session).toBe('made00000001');
    expect(bench.log.of('play.start')).toMatchObject([
      { session: 'abc123def456' },
      { session: 'made00000001' },
    ]);
    second.player?.leave(GONE);
    expect(ids({ state: 'open' })).toEqual(['abc123def456']);
  });
});

describe('the list', () => {
  test('tells of a publisher what it sent, and of a player what it took', () => {
    const seat = ask('publisher001');
    expect(rows(), 'one that was not let in is no session').toEqual([]);
    goOnAir(seat);
    send(seat, 'avc delta', 0, 500);
    send(seat, 'avc header', 40);
    send(seat, 'avc key', 40, 1_000);
    bench.clock.advance(1_500);
    const sink = play('player000001');
    const bytes = sink.buffers.reduce((sum, { length }) => sum + length, 0);
    expect(bytes).toBeGreaterThan(1_000);
    bench.clock.advance(1_000);
    expect(rows()).toEqual([
      {
        ...{ id: 'publisher001', node: 'node-1', kind: 'publisher', stream: KEY, protocol: 'rtmp' },
        ...{ remote: '203.0.113.2:40000', since: expect.any(String), durationMs: 2_500, state: 'live' },
        ...{ bytes: 1_509, bytesPerS: 604, backlogBytes: 0, dropped: 1, skips: 0, ended: null },
      },
      {
        ...{ id: 'player000001', node: 'node-1', kind: 'player', stream: KEY, protocol: 'http-flv' },
        ...{ remote: '203.0.113.9:0', since: expect.any(String), durationMs: 1_000, state: 'live' },
        ...{ bytes, bytesPerS: bytes, backlogBytes: 0, dropped: 0, skips: 0, ended: null },
      },
    ]);
  });

  test('tells rates of the last two seconds, however long nobody asked', () => {
    book.start();
    const seat = ask('publisher001');
    goOnAir(seat);
    for (let second = 0; second < 60; second += 1) {
      send(seat, 'avc key', second * 1_000, 1_000);
      bench.clock.pass(1_000);
    }
    bench.clock.pass(4_000);
    const [row] = rows();
    expect(row?.bytes).toBeGreaterThan(59_000);
    expect(row?.bytesPerS, 'it has sent nothing of late').toBe(0);
    book.stop();
    book.stop();
  });

  test('counts what is flushed at once, and tells rates between two looks', () => {
    const seat = ask('publisher001');
    goOnAir(seat);
    send(seat, 'avc key', 0, 100);
    send(seat, 'avc delta', 40, 100);
    bench.clock.advance(1_500);
    const sink = play('player000001');
    bench.clock.advance(600);
    const before = sink.buffers.reduce((sum, { length }) => sum + length, 0);
    expect(rows({ kind: 'player' })).toMatchObject([
      { bytes: before, bytesPerS: Math.round((before * 1_000) / 600) },
    ]);
    send(seat, 'avc delta', 80, 1_000);
    bench.clock.pass(300);
    const after = sink.buffers.reduce((sum, { length }) => sum + length, 0);
    expect(after).toBe(before + 1_009);
    expect(rows({ kind: 'player' }), 'no sweep came between').toMatchObject([{ bytes: after }]);
    bench.clock.pass(500);
    expect(rows({ kind: 'player' })).toMatchObject([
      { bytes: after, bytesPerS: Math.round(((after - before) * 1_000) / 800) },
    ]);
    bench.clock.advance(100);
    expect(rows({ kind: 'player' })[0]?.bytesPerS, 'the same look').toBe(
      Math.round(((after - before) * 1_000) / 800),
    );
    bench.clock.advance(900);
    expect(rows({ kind: 'player' })[0]?.bytesPerS).toBe(0);
  });

  test('has publishers first, then players and who is over, the newest first; by stream, kind, id and state', () => {
    const first = play('player000001');
    goOnAir(ask('publisher001'));
    bench.clock.advance(10);
    play('player000002', 'ws-flv');
    first.player?.leave(GONE);
    bench.clock.advance(10);
    play('player000003').player?.destroy({ code: 'player.stalled', message: 'it took nothing' });
    bench.clock.advance(10);
    play('player000004');
    const newest = ['player000004', 'player000003', 'player000002', 'player000001'];
    expect(ids()).toEqual(['publisher001', ...newest]);
    expect(ids({ state: 'open' })).toEqual(['publisher001', 'player000004', 'player000002']);
    expect(ids({ state: 'ended', kind: 'player' })).toEqual(['player000003', 'player000001']);
    expect(ids({ kind: 'publisher' })).toEqual(['publisher001']);
    expect(ids({ id: 'player000001' })).toEqual(['player000001']);
    expect(ids({ stream: KEY }).length).toBe(5);
    expect(ids({ stream: parseStreamKey('live', 'other') })).toEqual([]);
    expect(rows({ id: 'player000003' })).toMatchObject([
      { state: 'ended', ended: { code: 'player.stalled', message: 'it took nothing' }, bytesPerS: 0 },
    ]);
    const cut = book.list({ limit: 3 }, ASKER);
    expect([cut.total, [...cut.rows].map(({ id }) => id)], 'those that are cut are the oldest').toEqual([
      5,
      ['publisher001', 'player000004', 'player000003'],
    ]);
  });

  test('keeps the last 500 that are over', () => {
    for (let at = 1; at <= 502; at += 1) play(`p${String(at).padStart(11, '0')}`).player?.leave(GONE);
    const over = ids({ state: 'ended', limit: 10_000 });
    expect([over.length, over[0], over.at(-1)]).toEqual([500, 'p00000000502', 'p00000000003']);
  });

  test('tells who stands by, with what it sent in all its turns', () => {
    const seat = ask('publisher001');
    seat.standBy();
    send(seat, 'avc key', 0, 100);
    expect(rows()).toMatchObject([{ state: 'standby', bytes: 100, dropped: 0 }]);
    expect(book.publisher(KEY)).toBeNull();
    goOnAir(seat);
    expect(book.publisher(KEY)).toMatchObject({ id: 'publisher001', state: 'live', bytes: 100 });
    seat.end(GONE);
    expect(book.publisher(KEY)).toBeNull();
    expect(rows()).toMatchObject([{ state: 'ended', bytes: 100, ended: { code: 'test.gone' } }]);
  });

  test('forgets a publisher that is told no', () => {
    book.refused(ask('publisher001'));
    expect(rows()).toEqual([]);
    expect(book.free('publisher001')).toBe('publisher001');
  });
});

test('the end of a session is told by what counted when it began', () => {
  const before = play('player000001');
  tells = true;
  const during = play('player000002');
  const refused = ask('publisher001');
  const seat = ask('publisher002');
  goOnAir(seat);
  tells = false;
  const after = play('player000003');
  book.refused(ask('publisher003'));
  for (const { player } of [before, during, after]) player?.leave(GONE);
  book.refused(refused);
  seat.end(GONE);
  expect(told).toEqual(['play player000002', 'publish publisher001', 'publish publisher002']);
});

describe('a kick', () => {
  const kick = (id: string) => [...book.kick({ id }, ASKER).rows];

  test('ends a player cleanly, answers with what it was, and is logged with who asked', () => {
    const sink = play('player000001');
    expect(kick('player000001')).toMatchObject([{ id: 'player000001', state: 'waiting', ended: null }]);
    expect(sink.ends.map(({ code }) => code)).toEqual(['session.kicked']);
    expect(rows()).toMatchObject([{ state: 'ended', ended: { code: 'session.kicked' } }]);
    expect(bench.log.of('session.kicked')).toEqual([
      {
        ...{ stream: KEY, session: 'player000001', kind: 'player', protocol: 'http-flv' },
        ...{ remote: '203.0.113.9:0', request: 'req-1' },
      },
    ]);
    expect(kick('player000001'), 'it is over').toEqual([]);
  });

  test('ends a publisher, on air or standing by; its stream is held', () => {
    const seat = ask('publisher001');
    goOnAir(seat);
    send(seat, 'avc key', 0);
    const player = play('player000001').player as Player;
    expect(kick('publisher001')).toMatchObject([{ state: 'live' }]);
    expect([endedBy, stream.state.at, player.state]).toEqual([['session.kicked'], 'held', 'live']);
    const standing = ask('publisher002');
    standing.standBy();
    expect(kick('publisher002')).toMatchObject([{ state: 'standby' }]);
    expect(endedBy).toEqual(['session.kicked', 'session.kicked']);
    expect(kick('nobody000000')).toEqual([]);
    expect(bench.log.of('session.kicked').length).toBe(2);
  });
});
