import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TidewayError } from '../../../src/base/errors.ts';
import { parseStreamKey, RESERVED_APPS } from '../../../src/base/stream-key.ts';

function refusal(app: string, name: string): TidewayError | undefined {
  try {
    parseStreamKey(app, name);
    return undefined;
  } catch (error) {
    if (error instanceof TidewayError) return error;
    throw error;
  }
}

describe('a stream key', () => {
  test.each([
    ['live', 'test'],
    ['A-Z_0.9', '-'],
    ['a', 'x'.repeat(64)],
    ['live', 'flv'],
    ['live.flv', 'a'],
    ['live', 'a.flv.b'],
    ['live', 'a.'],
    ['live', 'api'],
    ['Api', 'a'],
  ])('may be %s/%s', (app, name) => {
    expect(parseStreamKey(app, name)).toBe(`${app}/${name}`);
  });

  test.each([
    ['', 'a'],
    ['a', ''],
    ['.a', 'b'],
    ['a', '.b'],
    ['a..b', 'c'],
    ['a', 'b..'],
    ['a', 'b.flv'],
    ['a', 'b.FLV'],
    ['a', '.flv'],
    ['a/b', 'c'],
    ['a', 'b/c'],
    ['a', 'b?c'],
    ['a', 'b\n'],
    ['a\n', 'b'],
    ['a', 'b c'],
    ['a', 'ü'],
    ['a', 'b\0'],
    ['a', 'x'.repeat(65)],
    ['x'.repeat(65), 'a'],
  ])('may not be %j/%j, and the refusal does not repeat it', (app, name) => {
    const error = refusal(app, name);
    expect(error?.code).toBe('stream-key.invalid');
    expect(error?.message).toBe(refusal('', '')?.message);
    expect(error?.fields).toEqual({});
  });

  test("may not take an app of the node's own", () => {
    expect([...RESERVED_APPS]).toEqual(['api', 'route', 'watch', 'assets', 'metrics', 'healthz', 'readyz']);
    for (const app of RESERVED_APPS) {
      expect(refusal(app, 'a')).toMatchObject({ code: 'stream-key.reserved', fields: { app } });
    }
  });

  test('is two safe path segments, or refused, for any text', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom('a', 'Z', '0', '.', '-', '_', '/', '%', 'flv') }),
    );
    fc.assert(
      fc.property(text, text, (app, name) => {
        const error = refusal(app, name);
        if (error) {
          expect(error.code).toMatch(/^stream-key\./);
          return;
        }
        const key = parseStreamKey(app, name);
        expect(key.split('/')).toEqual([app, name]);
        expect(new URL(`http://host/${key}.flv`).pathname).toBe(`/${app}/${name}.flv`);
      }),
    );
  });
});
