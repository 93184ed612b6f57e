import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../../src/config/config-error.ts';
import { type ConfigSources, loadConfig, readConfig } from '../../../src/config/load.ts';
import { configKeys } from '../../../src/config/schema.ts';

const newNodeId = () => 'node-1';
const load = (sources: ConfigSources) => loadConfig({ newNodeId, ...sources });
const yaml = (text: string): ConfigSources => ({ file: { name: 'config.yaml', text } });

function refusal(sources: ConfigSources): ConfigError {
  try {
    load(sources);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('what wins', () => {
  test('nothing at all gives the defaults', () => {
    const config = load({});
    expect(config.rtmp.port).toBe(1935);
    expect(config.http.port).toBe(8080);
    expect(config.node.id).toBe('node-1');
    expect(config.registry.url).toBe('memory:');
    expect(config.publish.secret).toBeUndefined();
    expect(config.player.maxBacklogBytes).toBe(8 * 1024 * 1024);
  });

  test('a flag wins over the environment, and that over the file', () => {
    const file = { name: 'config.yaml', text: 'rtmp: { port: 1 }\nhttp: { port: 2 }\nmesh: { port: 3 }' };
    const env = { TIDEWAY_HTTP_PORT: '20', TIDEWAY_MESH_PORT: '30' };
    const config = load({ file, env, flags: { 'mesh.port': '300' } });
    expect([config.rtmp.port, config.http.port, config.mesh.port]).toEqual([1, 20, 300]);
  });

  test('the hold after a stop follows publish.holdMs unless it is given', () => {
    expect(load({ flags: { 'publish.holdMs': '7' } }).publish.holdAfterStopMs).toBe(7);
    const both = { 'publish.holdMs': '7', 'publish.holdAfterStopMs': '0' };
    expect(load({ flags: both }).publish.holdAfterStopMs).toBe(0);
    expect(load({}).publish.holdAfterStopMs).toBe(30_000);
  });

  test('the default node id is the host name and 4 hex digits', () => {
    expect(loadConfig().node.id).toMatch(/^[A-Za-z0-9_.-]{1,59}-[0-9a-f]{4}$/);
  });

  test('a key without a value, in the file or the environment, counts as not given', () => {
    const config = load({ ...yaml('rtmp:\n  port:\npublish:\n'), env: { TIDEWAY_HTTP_PORT: '' } });
    expect([config.rtmp.port, config.http.port]).toEqual([1935, 8080]);
  });

  test('variables of others are left alone, and so are the service links of Kubernetes', () => {
    const env = { PATH: '/bin', TIDEWAY_SERVICE_HOST: '192.0.2.1', TIDEWAY_PORT_1935_TCP_PROTO: 'tcp' };
    expect(load({ env })).toEqual(load({}));
  });

  test('a file may be empty, or only comments', () => {
    expect(load(yaml(''))).toEqual(load({}));
    expect(load(yaml('# nothing\n'))).toEqual(load({}));
  });
});

describe('values', () => {
  test.each([
    ['8MiB', 8_388_608],
    ['64MB', 64_000_000],
    ['1 GiB', 1_073_741_824],
    ['100000', 100_000],
  ])('%s is a size', (text, bytes) => {
    expect(load({ flags: { 'player.maxBacklogBytes': text } }).player.maxBacklogBytes).toBe(bytes);
    expect(load(yaml(`player: { maxBacklogBytes: ${text} }`)).player.maxBacklogBytes).toBe(bytes);
  });

  test.each(['8 MiBs', '-1', '1e9', '', '8mib', '1000'])('"%s" is no size', (text) => {
    expect(refusal({ flags: { 'player.maxBacklogBytes': text } }).problems).toHaveLength(1);
  });

  test.each(['redis://localhost', 'rediss://:password@redis.internal:6380/2', 'memory:'])(
    '%s is a registry',
    (url) => {
      const flags = { 'registry.url': url, 'mesh.secret': 'sixteen letters.' };
      expect(load({ flags }).registry.url).toBe(url);
    },
  );

  test('lists are given as text with commas, and in the file also as lists', () => {
    const text = {
      'mesh.advertise': '10.0.0.1:7935, [2001:db8::1]:7935',
      priority: 'live/vip*=5, live/*=-1',
    };
    const lists = `
mesh: { advertise: ['10.0.0.1:7935', '[2001:db8::1]:7935'] }
priority:
  - { match: live/vip*, level: 5 }
  - match: live/*
    level: -1`;
    for (const source of [{ flags: text }, yaml(lists)]) {
      const { mesh, priority } = load(source);
      expect(mesh.advertise).toEqual(['10.0.0.1:7935', '[2001:db8::1]:7935']);
      expect(priority).toEqual([
        { match: 'live/vip*', level: 5 },
        { match: 'live/*', level: -1 },
      ]);
    }
  });

  test.each(['live', 'live/*=11', 'live/*=1=2', 'live/*=1,', 'live/{a}=1', 'live/*=0.5'])(
    '"%s" is no priority',
    (text) => {
      expect(refusal({ flags: { priority: text } }).problems).toHaveLength(1);
    },
  );

  test.each(['10.0.0.1', '10.0.0.1:0', '10.0.0.1:65536', '2001:db8::1:7935', 'a:1,,b:1', 'a b:1'])(
    '"%s" is no list of addresses',
    (text) => {
      expect(refusal({ flags: { 'mesh.advertise': text } }).problems).toHaveLength(1);
    },
  );

  test.each(['a b', '{tw}', 'tw*', 'a\nb'])('"%s" is no prefix of keys', (text) => {
    expect(refusal({ flags: { 'registry.prefix': text } }).problems).toHaveLength(1);
  });

  test('a node without a cluster secret does not start in a cluster, and is told how to make one', () => {
    const { code, problems } = refusal({ flags: { 'registry.url': 'redis://localhost' } });
    expect(code).toBe('config.invalid');
    expect(problems).toEqual([
      'mesh.secret: a node of a cluster needs the secret that its nodes know each other by: ' +
        'make one with "openssl rand -hex 32", and give all nodes the same',
    ]);
  });

  test.each(['memory', 'redis://', 'http://localhost', 'redis:localhost'])('%s is no registry', (url) => {
    expect(refusal({ flags: { 'registry.url': url } }).code).toBe('config.invalid');
  });

  test('true and false are the only booleans', () => {
    expect(load({ env: { TIDEWAY_WATCH_ENABLED: 'false' } }).watch.enabled).toBe(false);
    expect(refusal({ env: { TIDEWAY_WATCH_ENABLED: 'no' } }).problems).toEqual([
      'watch.enabled (TIDEWAY_WATCH_ENABLED): "no" is not allowed; allowed: true or false',
    ]);
  });
});

describe('mistakes', () => {
  test('a bad value is one line: path, where from, what was given, what is allowed', () => {
    const allowed = 'is not allowed; allowed: a whole number from 0 to 65535, or off';
    expect(refusal(yaml('rtmp:\n  port: [1]')).message).toBe(
      `rtmp.port (config.yaml:2): a list or an alias ${allowed}`,
    );
    expect(refusal({ env: { TIDEWAY_RTMP_PORT: 'abc' } }).message).toBe(
      `rtmp.port (TIDEWAY_RTMP_PORT): "abc" ${allowed}`,
    );
    expect(refusal({ flags: { 'rtmp.port': '65536' } }).message).toBe(
      `rtmp.port (--rtmp.port): "65536" ${allowed}`,
    );
  });

  test.each([
    [{ 'tls.cert': 'a.pem' }, 'tls.cert, tls.key: a certificate and its key go together: give both'],
    [{ 'rtmps.port': '1936' }, 'rtmps.port: it needs a certificate: give tls.cert and tls.key, too'],
    [
      { 'mesh.tls.cert': 'a.pem', 'mesh.tls.key': 'a.key' },
      'mesh.tls: a certificate, its key and what others are signed by go together: give all three',
    ],
    [
      { 'http.port': 'off' },
      'http.port: off without https.port leaves no port for health and the API: give one of them',
    ],
  ])('%o is told what it lacks', (flags, message) => {
    expect(refusal({ flags }).message).toBe(message);
  });

  test.each(['http.advertise', 'http.advertiseInternal', 'rtmp.advertise', 'rtmp.advertiseInternal'])(
    '%s takes the scheme of its own protocol, and no path',
    (key) => {
      const own = key.slice(0, 4);
      for (const scheme of ['', `${own}://`, `${own}s://`]) {
        expect(() => load({ flags: { [key]: `${scheme}a.example:1` } })).not.toThrow();
      }
      const other = own === 'http' ? 'rtmp' : 'http';
      for (const wrong of [`${other}s://a.example:1`, `${own}s://a.example:1/x`, `${own}s://a.example`]) {
        expect(refusal({ flags: { [key]: wrong } }).message).toContain('is not allowed');
      }
    },
  );

  test('an unknown key says where it is and what may be meant', () => {
    expect(refusal(yaml('rtmp: { prot: 1 }')).message).toBe(
      'rtmp.prot (config.yaml:1): no such key; did you mean rtmp.port?',
    );
    expect(refusal({ env: { TIDEWAY_RTMP_PROT: '1' } }).message).toBe(
      'TIDEWAY_RTMP_PROT: no such key; did you mean TIDEWAY_RTMP_PORT?',
    );
    expect(refusal({ flags: { 'publish.holdms': '1' } }).message).toBe(
      '--publish.holdms: no such key; did you mean --publish.holdMs?',
    );
    expect(refusal({ flags: { xyz: '1' } }).message).toBe(
      '--xyz: no such key; "tideway start --help" lists all',
    );
  });

  test('a value in the place of a section is told its keys', () => {
    expect(refusal(yaml('http: 8080')).message).toBe(
      'http (config.yaml:1): a section, not a value; its keys: http.port, http.advertise, http.advertiseInternal, http.maxConnections',
    );
  });

  test('all mistakes are told at once, also those that another place overrides', () => {
    const { problems } = refusal({
      ...yaml('rtmp: { port: x }\nstream: { logMs: 1 }'),
      env: { TIDEWAY_RTMP_PORT: '1' },
      flags: { 'log.level': 'loud' },
    });
    expect(problems.map((line) => line.split(' ')[0])).toEqual(['rtmp.port', 'stream.logMs', 'log.level']);
  });

  test('no secret is repeated', () => {
    const secrets = { 'publish.secret': 'short', 'mesh.secret': 'brief', 'registry.url': 'redis:hush@host' };
    const { message, problems } = refusal({ flags: secrets });
    expect(problems).toHaveLength(3);
    for (const value of Object.values(secrets)) expect(message).not.toContain(value);
  });

  test.each([
    ['a key given twice', 'rtmp: { port: 1, port: 2 }', /^config\.yaml:1: .*unique/],
    [
      'a key given twice in two spellings',
      'rtmp: { port: 1 }\nrtmp.port: 2',
      /^rtmp\.port \(config\.yaml:2\): given twice$/,
    ],
    ['broken YAML', 'rtmp: {', /^config\.yaml:1: /],
    ['an unknown tag', 'host: !secret x', /^config\.yaml:1: /],
    ['no keys', '- rtmp', /^config\.yaml:1: a configuration is made of keys/],
  ])('%s in the file is refused', (_what, text, line) => {
    const error = refusal(yaml(text));
    expect(error.code).toBe('config.syntax');
    for (const problem of error.problems) expect(problem).toMatch(/^[^\n]+$/);
    expect(error.problems[0]).toMatch(line);
  });

  test('a bomb of aliases is not followed', () => {
    const levels = Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`);
    expect(refusal(yaml(['a0: &a0 [x]', ...levels].join('\n'))).problems).toHaveLength(31);
  });

  test('a file that is not there is one line', async () => {
    await expect(readConfig({ path: '/nowhere/config.yaml', env: {} })).rejects.toMatchObject({
      code: 'config.unreadable',
      message: "/nowhere/config.yaml: this file can't be read (ENOENT)",
    });
  });

  test('any value of any key is accepted or refused in one short line, never anything else', () => {
    const value = fc.oneof(
      fc.string(),
      fc.integer().map(String),
      fc.constantFrom('true', '8MiB', '__proto__'),
    );
    fc.assert(
      fc.property(fc.constantFrom(...configKeys), value, (key, text) => {
        try {
          load({ flags: { [key.path]: text } });
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
          expect((error as ConfigError).message).toMatch(/^[^\n\r]{1,400}$/);
        }
      }),
    );
  });
});
