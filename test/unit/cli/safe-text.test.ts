import fc from 'fast-check';
import { expect, test } from 'vitest';
import { paintFor, plain } from '../../../src/cli/paint.ts';
import { safeJson, safeText } from '../../../src/cli/safe-text.ts';

test('what a terminal would obey, and what turns or hides text, becomes "?"', () => {
  expect(safeText('a\u001b]0;owned\u0007\r\n\u009b2J\u007f\u202eevil\u200b')).toBe(
    'a?]0;owned???' + '?2J??evil?',
  );
  expect(safeText('live/ümläut-日本')).toBe('live/ümläut-日本');
});

test('a JSON document is the same document, and a terminal shows it as it is', () => {
  const hostile = { name: '\u009b2J\u007f\u001b[2J\u202e', list: ['\n', 'é'] };
  const text = safeJson(hostile, 2);
  for (const command of ['\u007f', '\u009b', '\u001b', '\u202e']) expect(text).not.toContain(command);
  expect(text.split('\n')).toHaveLength(7);
  expect(JSON.parse(text)).toEqual(hostile);
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(JSON.parse(safeJson(value, 0))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('colours are for a terminal that wants them', () => {
  expect(paintFor({ isTTY: true }, {})('x', 'bad')).toBe('\u001b[31mx\u001b[0m');
  expect(paintFor({ isTTY: true }, { NO_COLOR: '' })('x', 'bad')).toBe('\u001b[31mx\u001b[0m');
  for (const [stream, env] of [
    [{ isTTY: true }, { NO_COLOR: '1' }],
    [{ isTTY: true }, { TERM: 'dumb' }],
    [{}, {}],
  ] as const) {
    expect(paintFor(stream, env)).toBe(plain);
  }
});
