// What requests say: their targets, their queries, and the bodies of the API.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { z } from 'zod';
import { TidewayError } from '../../../src/base/errors.ts';
import { sentOnUrl, sessionBrought, wasSentHere } from '../../../src/base/redirect.ts';
import { isStreamPath, streamKeyOf } from '../../../src/flv/flv-request.ts';
import { operations } from '../../../src/http/api-operations.ts';
import { readQuery } from '../../../src/http/api-query.ts';
import { apiRoute, type Declared } from '../../../src/http/api-route.ts';
import { drainBody } from '../../../src/http/forms/drain.ts';
import { preloadBody } from '../../../src/http/forms/preload.ts';
import { readJson } from '../../../src/http/json-body.ts';
import { parseTarget } from '../../../src/http/route.ts';
import { accessBy } from '../../support/api-access.ts';
import type { Chance } from '../../support/chance.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeLog } from '../../support/media.ts';
import { hexWords, rule, type Target, wordsOf } from '../engine/target.ts';
import { isStreamKey } from './keys.ts';
import { type Outcome, outcomeOf } from './outcome.ts';

const MARKS = new Set(['tw_hop', 'tw_session']);
const declared: readonly Declared[] = Object.values(operations);
const queryForms = declared.flatMap(({ query }) => query ?? []);
const routes = declared.map((one) =>
  apiRoute(one, () => 'taken' as never, {
    access: accessBy(),
    clock: new FakeClock(),
    log: new FakeLog(),
  }),
);

export const httpTargets: Target = {
  name: 'http-targets',
  covers: ['src/http/route.ts', 'src/flv/flv-request.ts', 'src/base/redirect.ts', 'src/base/stream-key.ts'],
  maxBytes: 1024,
  words: wordsOf(
    ...[
      '/',
      '//',
      '/../',
      '/%2e%2e/',
      '%2f',
      '%00',
      '%',
      '%e2%82%ac',
      '\\',
      '?',
      '#',
      '&',
      '=',
      ':',
      '@',
      '\xff',
      '\t',
    ],
    ...[
      '.flv',
      'live',
      '/api/v1/streams/',
      '/api/v1/sessions/',
      '/preload',
      'http://',
      'tw_hop=1',
      'tw_session=',
    ],
  ),
  run(input) {
    const target = input.toString('latin1');
    const parsed = outcomeOf(() => parseTarget(target));
    if (parsed.code !== undefined) return;
    const url = parsed.value;
    rule(
      url.host === 'node' && url.username === '' && url.password === '',
      `the target names the host ${url.host}`,
    );
    rule(url.pathname.startsWith('/'), 'the path is not absolute');
    for (const route of routes) route.matches(url.pathname);
    if (isStreamPath(url.pathname)) {
      const key = outcomeOf(() => streamKeyOf(url));
      if (key.code === undefined) rule(isStreamKey(key.value), `${key.value} is no key`);
    }
    wasSentHere(url.searchParams);
    sessionBrought(url.searchParams);
    const query = url.searchParams;
    const sentOn = new URL(sentOnUrl('http://other:8080/live/show.flv', { query, session: 'abcdefghijkl' }));
    const kept = (params: URLSearchParams) =>
      JSON.stringify([...params].filter(([name]) => !MARKS.has(name)));
    rule(kept(sentOn.searchParams) === kept(query), 'a player that is sent on loses some of its query');
    rule(wasSentHere(sentOn.searchParams), 'a player that is sent on could be sent on again');
  },
};

export const httpQueries: Target = {
  name: 'http-queries',
  covers: ['src/http/api-query.ts', 'src/http/api-operations.ts', 'src/base/label.ts'],
  maxBytes: 1024,
  words: wordsOf(
    ...[
      '&',
      '=',
      '+',
      '%00',
      '%26',
      'limit=1',
      'limit=',
      'offset=',
      '9'.repeat(9),
      '-1',
      '1e3',
      '0x10',
      '1.5',
      'stream=',
    ],
    ...[
      'live/demo',
      'q=',
      'state=live',
      'sort=',
      'order=desc',
      'node=',
      'scope=cluster',
      'protocol=rtmp',
      'region=eu',
    ],
    ...[
      'zone=',
      'network=internal',
      'session=',
      'topics=',
      ',',
      'by=stream',
      'kind=player',
      'history=1',
      '__proto__=1',
    ],
    ...['constructor=', 'toString=', 'token=secret'],
  ),
  run(input, chance) {
    const query = new URLSearchParams(input.toString('latin1'));
    for (const form of [chance.pick(queryForms), chance.pick(queryForms)]) {
      const read = outcomeOf(() => readQuery(query, form));
      const again = outcomeOf(() => readQuery(new URLSearchParams(query.toString()), form));
      rule(JSON.stringify(read) === JSON.stringify(again), 'read twice, it is not the same');
      if (read.code === undefined) isShaped(read.value, form);
    }
    rule(Object.keys(Object.prototype).length === 0, 'all objects have got a new field');
  },
};

const BODY_FORMS: readonly z.ZodObject[] = [preloadBody, drainBody];
const TYPES = ['application/json', 'application/json; charset=utf-8', 'text/plain', undefined];

export const httpBodies: Target = {
  name: 'http-bodies',
  covers: ['src/http/json-body.ts', 'src/http/forms/preload.ts', 'src/http/forms/drain.ts'],
  maxBytes: 4 * 1024,
  words: [
    ...wordsOf(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      'null',
      'true',
      '1e400',
      '-0',
      '0.1',
      '9007199254740993',
      '\\ud800',
    ),
    ...wordsOf(
      '"nodes":',
      '"regions":',
      '"copies":',
      '"ttlSeconds":',
      '"deadlineSeconds":',
      '"__proto__":',
      '["n1"]',
    ),
    ...hexWords('efbbbf', 'c328', 'f0908080', '00'),
  ],
  async run(input, chance) {
    const headers = headersOf(input, chance);
    for (const form of BODY_FORMS) {
      const whole = await readBody([input], headers, form);
      const cut = await readBody(chance.pieces(input), headers, form);
      rule(JSON.stringify(whole) === JSON.stringify(cut), 'a body in several pieces reads otherwise');
      if (whole.code !== undefined) continue;
      isShaped(whole.value, form);
      const written = Buffer.from(JSON.stringify(whole.value));
      const again = await readBody([written], { 'content-type': 'application/json' }, form);
      rule(JSON.stringify(again) === JSON.stringify(whole), 'a body that we wrote reads otherwise');
    }
    rule(Object.keys(Object.prototype).length === 0, 'all objects have got a new field');
  },
};

/** It has the fields of its form, and no others. */
function isShaped(value: unknown, form: z.ZodObject): void {
  rule(typeof value === 'object' && value !== null, 'what was read is no object');
  const strange = Object.keys(value).find((name) => !Object.hasOwn(form.shape, name));
  rule(strange === undefined, `what was read has a field ${strange}`);
  rule(Object.getPrototypeOf(value) === Object.prototype, 'what was read has a prototype of its own');
}

type Headers = Readonly<Record<string, string>>;

function headersOf(input: Buffer, chance: Chance): Headers {
  const type = chance.below(6) < 5 ? TYPES[0] : chance.pick(TYPES);
  return {
    ...(type !== undefined && { 'content-type': type }),
    ...(chance.oneIn(4) && { 'content-length': String(input.length) }),
    ...(chance.oneIn(30) && { 'content-encoding': 'gzip' }),
  };
}

async function readBody(
  pieces: readonly Buffer[],
  headers: Headers,
  form: z.ZodObject,
): Promise<Outcome<unknown>> {
  const request = Object.assign(Readable.from(pieces, { objectMode: false }), { headers });
  const asked = { request: request as unknown as IncomingMessage, response: {} as ServerResponse };
  try {
    return { value: await readJson(asked, form, new FakeClock()) };
  } catch (error) {
    if (error instanceof TidewayError) return { code: `${error.code} ${error.message}` };
    throw error;
  }
}
