import { describe, expect, test } from 'vitest';
import { TidewayError, WireError } from '../../../src/base/errors.ts';
import type { Amf0Value } from '../../../src/format/amf0.ts';
import { connectTarget, streamTarget } from '../../../src/rtmp/stream-name.ts';

function asked(commandObject: Record<string, Amf0Value>, name: Amf0Value): { key: string; query: string } {
  const { key, query } = streamTarget(connectTarget(new Map(Object.entries(commandObject))), name);
  return { key, query: query.toString() };
}

describe('a stream is named', () => {
  test.each([
    ['by app and name', { app: 'live' }, 'cam', 'live/cam', ''],
    ['with slashes too many', { app: '/live/' }, '/cam/', 'live/cam', ''],
    ['by the app alone', { app: 'live/cam' }, '', 'live/cam', ''],
    ['by the name alone', { app: '' }, 'live/cam', 'live/cam', ''],
    ['with the prefix that ffmpeg adds', { app: 'live' }, 'mp4:cam.mp4', 'live/cam.mp4', ''],
    ['with a query of the name', { app: 'live' }, 'cam?key=a&x=1', 'live/cam', 'key=a&x=1'],
    ['with a query of the app', { app: 'live?key=b' }, 'cam', 'live/cam', 'key=b'],
    ['with a query of both, the name first', { app: 'live?key=b&y=2' }, 'cam?key=a', 'live/cam', 'key=a&y=2'],
    ['with a query of the tcUrl', { app: 'live', tcUrl: 'rtmp://h/live?key=c' }, 'cam', 'live/cam', 'key=c'],
    ['with a tcUrl that is no text', { app: 'live', tcUrl: 7 }, 'cam', 'live/cam', ''],
    ['with an empty query', { app: 'live?' }, 'cam?', 'live/cam', ''],
  ])('%s', (_title, commandObject, name, key, query) => {
    expect(asked(commandObject, name)).toEqual({ key, query });
  });

  test.each([
    ['without a name', { app: 'live' }, ''],
    ['in three parts', { app: 'live/a' }, 'b'],
    ['with a way out', { app: 'live' }, '../etc'],
    ['in a reserved app', { app: 'api' }, 'cam'],
  ])('but not %s', (_title, commandObject, name) => {
    expect(() => asked(commandObject, name)).toThrow(TidewayError);
  });

  test('but not by anything other than text', () => {
    expect(() => asked({ app: 7 }, 'cam')).toThrow(WireError);
    expect(() => asked({}, 'cam')).toThrow(WireError);
    expect(() => asked({ app: 'live' }, undefined)).toThrow(WireError);
  });
});
