import { expect, test } from 'vitest';
import { TidewayError } from '../../../src/base/errors.ts';
import { follow } from '../../../src/cli/follow.ts';
import type { ServerEvent } from '../../../src/format/server-events.ts';
import type { EventRow } from '../../../src/http/forms/alarms.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { settle } from '../../support/settle.ts';

const HELLO: ServerEvent = { name: 'hello', data: '{}' };

function event(id: number, stream: string | null = null): EventRow {
  return { id, node: 'a', time: '2026-01-01T00:00:00.000Z', level: 'info', event: 'x', stream, fields: {} };
}

function live(...events: EventRow[]): ServerEvent[] {
  return events.map((row) => ({ name: 'event', data: JSON.stringify(row) }));
}

/** Follows connections that tell what they are given, and then break. */
function following(connections: (ServerEvent[] | TidewayError)[], lists: EventRow[][], most = 100) {
  const clock = new FakeClock();
  const told: number[] = [];
  const notes: string[] = [];
  const ended = follow(({ stream }) => stream !== 'live/other', {
    clock,
    list: async () => lists.shift() ?? [],
    listen: async function* () {
      const connection = connections.shift() ?? [];
      if (connection instanceof TidewayError) throw connection;
      yield* connection;
    },
    tell: async ({ id }) => {
      told.push(id);
      return told.length >= most ? 'gone' : 'taken';
    },
    note: (line) => notes.push(line),
  });
  return { clock, told, notes, ended };
}

test('what happened is told oldest first, then what happens, each once', async () => {
  const connection = [HELLO, ...live(event(3), event(4, 'live/other'), event(5))];
  const { told, ended } = following([connection], [[event(3), event(2)]], 3);
  await ended;
  expect(told).toEqual([2, 3, 5]);
});

test('a lost connection is made again, and what was missed is told', async () => {
  const lost = new TidewayError('cli.unreachable', 'http://x: connection refused');
  const { clock, told, notes, ended } = following(
    [[HELLO, ...live(event(1))], lost, [HELLO, ...live(event(4))]],
    [[], [event(3), event(2), event(1)]],
    4,
  );
  await settle();
  expect(told).toEqual([1]);
  clock.advance(1000);
  await settle();
  clock.advance(1000);
  await ended;
  expect(told).toEqual([1, 2, 3, 4]);
  expect(notes).toEqual(['the node has ended the connection', 'http://x: connection refused']);
});

test('a node that was never there is an error', async () => {
  const lost = new TidewayError('cli.unreachable', 'http://x: connection refused');
  await expect(following([lost], []).ended).rejects.toBe(lost);
});
