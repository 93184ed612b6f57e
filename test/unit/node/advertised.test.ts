import { describe, expect, test } from 'vitest';
import { advertised, loopbackProblem } from '../../../src/node/advertised.ts';
import { hostId } from '../../../src/node/host-id.ts';

const UNSET = { host: '0.0.0.0', mesh: undefined, rtmp: undefined, http: undefined };
const PORTS = { meshPort: 7935, rtmpPort: 1935, rtmpsPort: 0, httpPort: 8080, httpsPort: 0 };

describe('the cluster is told', () => {
  test.each([
    ['10.0.0.7', '10.0.0.7'],
    ['::ffff:10.0.0.7', '10.0.0.7'],
    ['2001:db8::7', '[2001:db8::7]'],
    ['fe80::7%eth0', '[fe80::7]'],
  ])('the address towards the registry, with the real ports: %s', (local, host) => {
    expect(advertised(UNSET, local, PORTS)).toEqual({
      mesh: [`${host}:7935`],
      rtmp: `${host}:1935`,
      http: `${host}:8080`,
    });
  });

  test.each(['10.0.0.7', '127.0.0.1', 'tideway-1.local'])(
    'where the doors listen, if only there: %s',
    (host) => {
      expect(advertised({ ...UNSET, host }, '10.0.0.8', PORTS).mesh).toEqual([`${host}:7935`]);
    },
  );

  test('what is configured', () => {
    const options = { ...UNSET, mesh: ['a:1', 'b:2'], rtmp: 'live.example.com:1935', http: undefined };
    expect(advertised(options, '10.0.0.7', PORTS)).toEqual({
      mesh: ['a:1', 'b:2'],
      rtmp: 'live.example.com:1935',
      http: '10.0.0.7:8080',
    });
  });

  test('nothing of a door that is shut, or that nobody knows the address of', () => {
    const nothing = { mesh: [], rtmp: '', http: '' };
    const options = { ...UNSET, mesh: ['a:1'], rtmp: 'a:2', http: 'a:3' };
    expect(advertised(options, '10.0.0.7', { ...PORTS, meshPort: 0, rtmpPort: 0, httpPort: 0 })).toEqual(
      nothing,
    );
    expect(advertised({ ...UNSET, host: '::' }, undefined, PORTS)).toEqual(nothing);
  });
});

describe('of doors with TLS, the cluster is told', () => {
  test('with a scheme, where there is none without', () => {
    const ports = { ...PORTS, rtmpPort: 0, rtmpsPort: 1936, httpPort: 0, httpsPort: 8443 };
    expect(advertised(UNSET, '10.0.0.7', ports)).toMatchObject({
      rtmp: 'rtmps://10.0.0.7:1936',
      http: 'https://10.0.0.7:8443',
    });
    expect(advertised(UNSET, undefined, ports)).toMatchObject({ rtmp: '', http: '' });
  });

  test('nothing, while those without are open, unless it is configured', () => {
    const ports = { ...PORTS, rtmpsPort: 1936, httpsPort: 8443 };
    expect(advertised(UNSET, '10.0.0.7', ports).http).toBe('10.0.0.7:8080');
    const options = { ...UNSET, http: 'https://live.example.com:443', rtmp: 'rtmp://live.example.com:1935' };
    expect(advertised(options, '10.0.0.7', ports)).toMatchObject({
      http: 'https://live.example.com:443',
      rtmp: 'live.example.com:1935',
    });
  });

  test('that loopback is one, with a scheme or without', () => {
    const told = { mesh: [], rtmp: '', http: 'https://127.0.0.1:8443' };
    expect(loopbackProblem(told, 'a', [{ node: 'b', host: 'b' }])?.code).toBe('node.loopback-advertised');
  });
});

describe('a loopback address', () => {
  const HOST = 'aaaa';
  const LOOPBACK = advertised(UNSET, '127.0.0.1', PORTS);

  test('will do while every node is on this host', () => {
    expect(loopbackProblem(LOOPBACK, HOST, [])).toBeUndefined();
    expect(loopbackProblem(LOOPBACK, HOST, [{ node: 'b', host: HOST }])).toBeUndefined();
  });

  test.each(['127.0.0.1', '127.8.0.1', '::1', 'localhost'])(
    '(%s) will not for a node on another',
    (local) => {
      const told = advertised(UNSET, local, PORTS);
      const others = [
        { node: 'b', host: HOST },
        { node: 'c', host: 'cccc' },
      ];
      expect(loopbackProblem(told, HOST, others)).toMatchObject({
        code: 'node.loopback-advertised',
        message: expect.stringMatching(/node c .*mesh\.advertise/),
      });
    },
  );

  test('of none is no problem', () => {
    expect(
      loopbackProblem(advertised(UNSET, '10.0.0.7', PORTS), HOST, [{ node: 'c', host: 'c' }]),
    ).toBeUndefined();
  });
});

test('the host id is the same each time, and fits a node record', () => {
  expect(hostId()).toMatch(/^[0-9a-f]{16}$/);
  expect(hostId()).toBe(hostId());
});
