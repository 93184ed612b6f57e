import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { readJson } from '../../../src/http/json-body.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { settle } from '../../support/settle.ts';

const FORM = z.strictObject({
  count: z.int().min(0).default(7),
  to: z.strictObject({ node: z.string() }).optional(),
});
const JSON_HEADERS = { 'content-type': 'application/json' };

let clock: FakeClock;
let continued: number;

beforeEach(() => {
  clock = new FakeClock();
  continued = 0;
});

function request(headers: Record<string, string> = JSON_HEADERS): PassThrough & IncomingMessage {
  return Object.assign(new PassThrough(), { headers }) as unknown as PassThrough & IncomingMessage;
}

function read(of: IncomingMessage): Promise<unknown> {
  const writeContinue = () => {
    continued += 1;
  };
  const response = { writeContinue } as unknown as ServerResponse;
  return readJson({ request: of, response }, FORM, clock);
}

async function refusal(reading: Promise<unknown>): Promise<{ code: string; message: string }> {
  return reading.then(
    (value) => {
      throw new Error(`it was read: ${JSON.stringify(value)}`);
    },
    ({ code, message }) => ({ code, message }),
  );
}

/** Reads a body that comes whole. */
function bodyOf(body: string | Buffer, headers?: Record<string, string>): Promise<unknown> {
  const whole = request(headers);
  whole.end(body);
  return read(whole);
}

test('a body of the form is read, in whatever pieces it comes', async () => {
  const slow = request({ 'content-type': 'Application/JSON; charset=utf-8' });
  const reading = read(slow);
  for (const piece of ['{"cou', 'nt":', '3}']) slow.write(piece);
  slow.end();
  expect(await reading).toEqual({ count: 3 });
  expect(clock.timerCount).toBe(0);
});

test('an empty body is an empty object', async () => {
  expect(await bodyOf('')).toEqual({ count: 7 });
});

test('one who asks first is told to go on', async () => {
  await bodyOf('{}', { ...JSON_HEADERS, expect: '100-continue' });
  expect(continued).toBe(1);
});

describe('refused by its head, unread, is', () => {
  test.each([
    ['no type', {}, 'http.media-type'],
    ['what a page of another site may send', { 'content-type': 'text/plain' }, 'http.media-type'],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, 'http.media-type'],
    ['another JSON', { 'content-type': 'application/json-patch+json' }, 'http.media-type'],
    ['what is compressed', { ...JSON_HEADERS, 'content-encoding': 'gzip' }, 'http.media-type'],
    ['what says that it is too long', { ...JSON_HEADERS, 'content-length': '65537' }, 'http.body-too-large'],
  ])('%s', async (_, headers, code) => {
    const asked = request(headers as Record<string, string>);
    expect((await refusal(read(asked))).code).toBe(code);
    expect([asked.listenerCount('data'), clock.timerCount]).toEqual([0, 0]);
  });
});

test('one that grows too long is refused at that byte', async () => {
  const long = request();
  const refused = refusal(read(long));
  long.write(Buffer.alloc(64 * 1024, ' '));
  await settle();
  expect(clock.timerCount, 'it is read on').toBe(1);
  long.write(' ');
  expect((await refused).code).toBe('http.body-too-large');
  expect([long.listenerCount('data'), clock.timerCount]).toEqual([0, 0]);
});

test('one that does not end is given up after 5 s', async () => {
  const slow = request();
  const refused = refusal(read(slow));
  slow.write('{');
  clock.pass(4_999);
  await settle();
  expect(clock.timerCount).toBe(1);
  clock.pass(1);
  expect((await refused).code).toBe('http.body-timeout');
});

test('one that breaks off is over at once', async () => {
  const broken = request();
  const refused = refusal(read(broken));
  broken.destroy();
  expect((await refused).code).toBe('http.bad-request');
});

describe('refused by what it says, with the field by name, is', () => {
  test.each([
    ['{"count":', 'the body is no JSON in UTF-8'],
    [Buffer.from([0x22, 0xff, 0x22]), 'the body is no JSON in UTF-8'],
    ['{"count":1,"cuont":2}', 'there is no field "cuont"'],
    ['{"to":{"node":"a","nod":1}}', 'there is no field "nod" in to'],
    ['{"count":-1}', 'count is at least 0, not -1'],
    ['{"count":"3"}', 'count is a number, not "3"'],
    ['{"count":1.5,"to":{}}', 'count is a whole number, not 1.5; to.node is missing'],
    ['{"count":1e999}', 'count is a number, not one that is too large'],
    ['{"count":null,"to":{"node":["a"]}}', 'count is a number, not null; to.node is text, not a list'],
    ['[]', 'the body is an object, not a list'],
    ['null', 'the body is an object, not null'],
  ])('%s', async (body, message) => {
    expect(await refusal(bodyOf(body))).toEqual({ code: 'api.body', message });
  });
});
