// Addresses, figures and lines of the dashboard: what is read, written and said.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { waitMs } from '../../../../web/dashboard/backoff.ts';
import {
  agoMs,
  bits,
  bitsOfBytes,
  bytes,
  codecs,
  cost,
  count,
  counted,
  frames,
  millis,
  percent,
  size,
  span,
} from '../../../../web/dashboard/format.ts';
import { playAt } from '../../../../web/dashboard/node-address.ts';
import { nodeState } from '../../../../web/dashboard/node-state.ts';
import { publishHints } from '../../../../web/dashboard/publish-hints.ts';
import { hashOf, type View, viewOf, withQuery } from '../../../../web/dashboard/route.ts';
import {
  delayLines,
  MAX_DELAY_LINES,
  MAX_DELAY_SAMPLES,
  sparkPath,
  sparkWords,
  sumFromEnd,
  withDelays,
} from '../../../../web/dashboard/series.ts';
import { treeOf } from '../../../../web/dashboard/tree.ts';
import { MadeUpCluster } from '../../../support/made-up-cluster.ts';
import { OPEN_HINT } from '../../../support/state-answers.ts';

describe('addresses', () => {
  const views: View[] = [
    { at: 'cluster' },
    { at: 'streams', search: '', sort: 'key', order: 'asc', page: 1 },
    { at: 'streams', search: 'a&b #?', sort: 'players', order: 'asc', page: 7 },
    { at: 'stream', key: 'live/a.b-c_d' },
    { at: 'stream', key: '-/_' },
    { at: 'node', node: 'edge-1.example' },
    { at: 'alarms' },
    { at: 'why', stream: 'live/demo' },
    { at: 'why', stream: '' },
    { at: 'traffic', by: 'regions' },
    { at: 'traffic', by: 'node' },
  ];

  test.each(views)('%j is read from the hash that it has', (view) => {
    expect(viewOf(hashOf(view))).toEqual(view);
  });

  test.each([
    '#/streams/<script>/x',
    '#/streams/a/b/c',
    '#/streams/a',
    '#/nodes/%00',
    '#/nodes/a%2Fb',
    '#/constructor',
    '#main',
    '#/streams/%E0%A4%A',
  ])('%s is no view', (hash) => {
    expect(viewOf(hash)).toEqual({ at: 'unknown' });
  });

  test('what is not allowed in a query is as if it were not there', () => {
    expect(viewOf('#/streams?sort=evil&order=up&page=-1&page=2')).toEqual({
      ...{ at: 'streams', search: '', sort: 'key', order: 'asc', page: 1 },
    });
    expect(viewOf('#/traffic?by=__proto__')).toEqual({ at: 'traffic', by: 'node' });
  });

  test('any text is some view, and a search is never longer than two names', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 400 }), (text) => {
        const view = viewOf(`#/streams?q=${encodeURIComponent(text)}`);
        expect(view.at).toBe('streams');
        expect(view.at === 'streams' && view.search.length).toBeLessThanOrEqual(129);
        expect(() => viewOf(`#/${text}`)).not.toThrow();
      }),
    );
  });

  test('a query has what is not empty, encoded', () => {
    expect(withQuery('streams', { q: 'a&b=c', limit: 50, offset: 0, node: '' })).toBe(
      'streams?q=a%26b%3Dc&limit=50&offset=0',
    );
    expect(withQuery('alarms', { stream: '' })).toBe('alarms');
  });
});

describe('where a node is played from', () => {
  const page = { base: 'http://me.example:8080/tideway/', origins: new Set(['http://10.0.0.1:8080']) };

  test('from this one by the way that the page came, from others by their own door, if the policy lists it', () => {
    expect(playAt('live/a', { self: true, http: '10.0.0.9:1' }, page)).toEqual({
      ...{ at: 'url', url: 'http://me.example:8080/tideway/live/a.flv?tw_hop=1' },
    });
    expect(playAt('live/a', { self: false, http: '10.0.0.1:8080' }, page)).toEqual({
      ...{ at: 'url', url: 'http://10.0.0.1:8080/live/a.flv?tw_hop=1' },
    });
    expect(playAt('live/a', { self: false, http: '10.0.0.2:8080' }, page)).toEqual({ at: 'not-listed' });
    const secure = { ...page, origins: new Set(['https://10.0.0.3:8443']) };
    expect(playAt('live/a', { self: false, http: 'https://10.0.0.3:8443' }, secure)).toEqual({
      ...{ at: 'url', url: 'https://10.0.0.3:8443/live/a.flv?tw_hop=1' },
    });
    expect(playAt('live/a', { self: false, http: '' }, page)).toEqual({ at: 'no-door' });
    expect(playAt('live/a', undefined, page)).toEqual({ at: 'no-door' });
  });
});

describe('figures', () => {
  test.each([
    [bits(0), '0 bit/s'],
    [bits(999), '999 bit/s'],
    [bits(999.6), '1 kbit/s'],
    [bits(1_234_567), '1.23 Mbit/s'],
    [bits(12_340_000), '12.3 Mbit/s'],
    [bits(999_990), '1 Mbit/s'],
    [bits(null), '–'],
    [bitsOfBytes(125_000), '1 Mbit/s'],
    [bitsOfBytes(undefined), '–'],
    [bytes(27_000_000), '27 MB'],
    [bytes(Number.NaN), '–'],
    [count(1_234_567), '1,234,567'],
    [counted(1, 'player'), '1 player'],
    [counted(0, 'copy', 'copies'), '0 copies'],
    [percent(0), '0 %'],
    [percent(0.0234), '2.3 %'],
    [percent(0.999), '100 %'],
    [millis(0.84), '0.8 ms'],
    [millis(-12.2), '-12 ms'],
    [millis(1500), '1.5 s'],
    [millis(90_000), '1 min'],
    [millis(null), '–'],
    [span(59_999), '59 s'],
    [span(3_600_000), '1 h'],
    [span(3_900_000), '1 h 5 min'],
    [span(273_600_000), '3 d 4 h'],
    [span(-5), '0 s'],
    [codecs('avc', 'aac'), 'H.264 + AAC'],
    [codecs('zz99', null), 'zz99'],
    [codecs(null, undefined), '–'],
    [size(1280, 720), '1280 × 720'],
    [size(null, 720), '–'],
    [frames(29.97), '30 fps'],
    [frames(12.54), '12.5 fps'],
    [cost(0), '0'],
    [cost(0.004), '< 0.01'],
    [cost(1234.567), '1,234.57'],
  ])('%s', (said, expected) => {
    expect(said).toBe(expected);
  });

  test('an age is never below 0, and of no time there is none', () => {
    expect(agoMs('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:00:07Z'))).toBe(7000);
    expect(agoMs('2026-01-01T00:00:09Z', Date.parse('2026-01-01T00:00:07Z'))).toBe(0);
    expect(agoMs('yesterday', 0)).toBeNull();
    expect(agoMs(null, 0)).toBeNull();
  });

  test('a node is in one word what matters most', () => {
    expect(nodeState({ leaseMs: null, draining: false }).word).toBe('up');
    expect(nodeState({ leaseMs: 100, draining: true }).word).toBe('draining');
    expect(nodeState({ leaseMs: 0, draining: true }).word).toBe('silent');
    expect(nodeState(undefined).word).toBe('gone');
  });
});

describe('lines', () => {
  test('a sparkline goes from edge to edge, on a floor of 0', () => {
    expect(sparkPath([0, 5, 10], 100, 12)).toBe('M0 11L50 6L100 1');
    expect(sparkPath([0, 0], 100, 12)).toBe('M0 11L100 11');
    expect(sparkPath([3], 100, 12)).toBe('');
    expect(sparkWords([2, 5, 3], String)).toBe('now 3, from 2 to 5');
    expect(sparkWords([], String)).toBe('nothing yet');
  });

  test('rows of different length that end together are added up from the end', () => {
    expect(sumFromEnd([[1, 2, 3], [10], []])).toEqual([1, 2, 13]);
    expect(sumFromEnd([])).toEqual([]);
  });

  test('delays of hops are kept within a bound, one line each, with holes where a hop was not', () => {
    const whole = MadeUpCluster.treeOfFive('live/stream-00000');
    const without = { ...whole, nodes: whole.nodes.filter(({ node }) => node !== 'n3') };
    let samples = withDelays([], treeOf(whole), 1000);
    samples = withDelays(samples, treeOf(without), 2000);
    const { names, values } = delayLines(samples);
    expect(names).toEqual(['n0 → n1', 'n0 → n3', 'n0 → n4', 'n1 → n2']);
    expect(values).toEqual([
      [11, 11],
      [25, null],
      [32, 32],
      [18, 18],
    ]);
    for (let at = 0; at < 400; at += 1) samples = withDelays(samples, treeOf(without), at);
    expect(samples).toHaveLength(MAX_DELAY_SAMPLES);
    expect(delayLines(samples).names).toHaveLength(3);
    const many = {
      wallMs: 1,
      delays: new Map(Array.from({ length: 30 }, (_, at) => [`${at}`, at] as const)),
    };
    expect(delayLines([many]).names).toHaveLength(MAX_DELAY_LINES);
  });
});

test('hints have the host, the port where it is another than usual, and what is needed behind the key', () => {
  const open = publishHints('10.0.0.5', { rtmpPort: 1935, publishHint: OPEN_HINT });
  expect([open.server, open.key]).toEqual(['rtmp://10.0.0.5/live', 'demo']);
  expect(open.ffmpeg).toMatch(/ -f flv "rtmp:\/\/10\.0\.0\.5\/live\/demo"$/);
  const guarded = publishHints('[fd00::1]', {
    rtmpPort: 1940,
    publishHint: { stream: 'cam/one', append: '?tw_token=YOUR-TOKEN', note: 'It wants a token.' },
  });
  expect([guarded.server, guarded.key]).toEqual(['rtmp://[fd00::1]:1940/cam', 'one?tw_token=YOUR-TOKEN']);
  expect(guarded.ffmpeg).toContain('"rtmp://[fd00::1]:1940/cam/one?tw_token=YOUR-TOKEN"');
});

test('tries come later and later, spread, and never more than some seconds apart', () => {
  expect([1, 2, 3].map((tries) => Math.round(waitMs(tries, 0.5)))).toEqual([250, 425, 722]);
  expect(waitMs(1, 0)).toBeLessThan(waitMs(1, 1));
  expect(waitMs(1000, 1)).toBe(6250);
});
