import { beforeEach, expect, test } from 'vitest';
import type { Arrival } from '../../../src/base/redirect.ts';
import { parseStreamKey } from '../../../src/base/stream-key.ts';
import type { RouteRequest } from '../../../src/http/route-request.ts';
import { Redirects } from '../../../src/node/redirects.ts';
import { PlaceFinder } from '../../../src/routing/place.ts';
import { FakeLog } from '../../support/media.ts';

const KEY = parseStreamKey('live', 'show');

let log: FakeLog;
let asked: RouteRequest[];
let to: string | undefined;
let redirects: Redirects;

beforeEach(() => {
  log = new FakeLog();
  asked = [];
  to = 'http://b:8080/live/show.flv';
  redirects = new Redirects({
    log,
    places: new PlaceFinder({
      node: { region: '', zone: '' },
      networks: [{ network: '10.0.0.0/8', region: 'eu' }],
      regionHeader: 'x-region',
    }),
    redirect: (request) => {
      asked.push(request);
      return to;
    },
  });
});

function arrival(query = '', changes: Partial<Arrival> = {}): Arrival {
  return {
    ...{ key: KEY, protocol: 'http-flv', headers: {}, remote: '10.0.0.7:5000', session: 'session12345' },
    ...{ query: new URLSearchParams(query), ...changes },
  };
}

function counted(): Record<string, number> {
  const [family] = redirects.metrics();
  return Object.fromEntries(family?.samples.map(({ labels, value }) => [labels?.door ?? '', value]) ?? []);
}

test('a player is sent on with its query and the mark, counted and logged without the query', () => {
  expect(redirects.of(arrival('key=s3cret'))).toBe(
    'http://b:8080/live/show.flv?key=s3cret&tw_hop=1&tw_session=session12345',
  );
  expect(asked).toEqual([
    {
      ...{ kind: 'play', key: KEY, protocol: 'http-flv', network: 'public', session: undefined },
      place: { region: 'eu', zone: '', from: 'network' },
    },
  ]);
  expect(log.lines).toEqual([
    {
      ...{ level: 'info', event: 'play.redirected' },
      fields: {
        stream: KEY,
        session: 'session12345',
        door: 'http-flv',
        remote: '10.0.0.7:5000',
        to: 'b:8080',
      },
    },
  ]);
  to = 'rtmp://c:1935/live/show';
  redirects.of(arrival('', { protocol: 'rtmp' }));
  expect(counted()).toEqual({ 'http-flv': 1, 'ws-flv': 0, rtmp: 1, route: 0 });
});

test('one who was sent here already is sent nowhere: nobody is asked', () => {
  expect(redirects.of(arrival('tw_hop=1'))).toBeUndefined();
  expect([asked, log.lines]).toEqual([[], []]);
});

test('one who is served here is neither counted nor logged', () => {
  to = undefined;
  expect(redirects.of(arrival())).toBeUndefined();
  expect([log.lines, counted()]).toEqual([[], { 'http-flv': 0, 'ws-flv': 0, rtmp: 0, route: 0 }]);
});

test('an address that is none sends nobody anywhere', () => {
  to = 'http://1.2.3.4.5:99999/live/show.flv';
  expect(redirects.of(arrival())).toBeUndefined();
  expect(log.lines).toEqual([]);
});

test('to a loopback address only who is on this machine is sent', () => {
  for (const host of ['127.0.0.1', '[::1]', 'localhost']) {
    to = `http://${host}:8080/live/show.flv`;
    expect(redirects.of(arrival())).toBeUndefined();
    for (const remote of ['127.0.0.1:5000', '::1:5000', '::ffff:127.0.0.1:5000']) {
      expect(redirects.of(arrival('', { remote }))).toBe(`${to}?tw_hop=1&tw_session=session12345`);
    }
  }
});

test('to an address of a private network only who comes from one is sent', () => {
  to = 'http://10.0.0.2:8080/live/show.flv';
  expect(redirects.of(arrival('', { remote: '203.0.113.9:5000' }))).toBeUndefined();
  for (const remote of ['10.9.9.9:5000', '::ffff:192.168.0.4:5000', '127.0.0.1:5000']) {
    expect(redirects.of(arrival('', { remote }))).toBe(`${to}?tw_hop=1&tw_session=session12345`);
  }
});

test('session, network and place are passed on; what is not allowed is as if it were not there', () => {
  redirects.of(arrival('session=me&network=internal&region=us&zone=us-1'));
  redirects.of(
    arrival(`session=${'x'.repeat(129)}&network=secret&region=%20`, { headers: { 'x-region': 'ap' } }),
  );
  redirects.of(arrival('session='));
  expect(asked).toMatchObject([
    { session: 'me', network: 'internal', place: { region: 'us', zone: 'us-1' } },
    { session: undefined, network: 'public', place: { region: 'ap', zone: '' } },
    { session: undefined },
  ]);
});
