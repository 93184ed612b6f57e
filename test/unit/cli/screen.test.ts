import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { Screen, type ScreenProcess } from '../../../src/cli/screen.ts';

/** A terminal that notes what is written to it. */
function terminal() {
  let written = '';
  const raw: boolean[] = [];
  const stdout = Object.assign(new EventEmitter(), {
    columns: 80,
    rows: 24,
    write: (text: string) => {
      written += text;
      return true;
    },
  });
  const stdin = Object.assign(new EventEmitter(), {
    isTTY: true,
    setRawMode: (mode: boolean) => raw.push(mode),
    resume: () => stdin,
    pause: () => stdin,
  });
  const process = Object.assign(new EventEmitter(), { stdout, stdin }) as unknown as ScreenProcess &
    EventEmitter;
  return { process, stdin, stdout, raw, written: () => written };
}

const TAKEN = '\u001b[?1049h\u001b[?25l';
const GIVEN_BACK = '\u001b[?25h\u001b[?1049l';

test('the terminal is taken, drawn over, and given back as it was', () => {
  const { process, raw, stdin, stdout, written } = terminal();
  {
    using screen = new Screen(process, { typed: () => {}, resized: () => {} });
    screen.draw(['one', 'two']);
    expect(raw).toEqual([true]);
  }
  expect(written()).toBe(`${TAKEN}\u001b[Hone\u001b[K\r\ntwo\u001b[K\u001b[J${GIVEN_BACK}`);
  expect(raw).toEqual([true, false]);
  expect([process, stdin, stdout].flatMap((emitter) => (emitter as EventEmitter).eventNames())).toEqual([]);
});

test('it is given back once, also when the process exits by itself', () => {
  const { process, raw, written } = terminal();
  const screen = new Screen(process, { typed: () => {}, resized: () => {} });
  process.emit('exit');
  screen[Symbol.dispose]();
  screen.draw(['too late']);
  expect(written()).toBe(TAKEN + GIVEN_BACK);
  expect(raw).toEqual([true, false]);
});

test('keys that come together are told one by one, and a new size is told', () => {
  const { process, stdin, stdout } = terminal();
  const typed: string[] = [];
  let resized = 0;
  using screen = new Screen(process, {
    typed: (key) => typed.push(key),
    resized: () => {
      resized += 1;
    },
  });
  stdin.emit('data', Buffer.from('bé\u0003'));
  stdout.columns = 0;
  stdout.emit('resize');
  expect(typed).toEqual(['b', 'é', '\u0003']);
  expect(resized).toBe(1);
  expect(screen.size).toEqual({ columns: 80, rows: 24 });
});
