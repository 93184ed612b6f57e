import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { runCommand } from '../../support/run-command.ts';
import { runNode } from '../../support/running-node.ts';
import { secretsOf } from '../../support/secret-settings.ts';
import { SecretScan, secretScan } from '../../support/secrets.ts';

const HASH = createHash('sha256').update('token-of-eva').digest('hex');

test.each([
  [{ 'publish.secret': 'hush-hush' }, 'key is hush-hush'],
  [{ 'auth.keys': 'k2=first-secret,k1=second-secret' }, '{"nested":{"url":"x second-secret"}}'],
  [{ 'api.tokens': `eva=operator:${HASH}` }, HASH],
  [{ 'registry.url': 'redis://:hush-hush@host:1' }, 'hush-hush'],
  [{ 'auth.webhook.url': 'http://host/?token=hush-hush' }, 'hush-hush'],
  [{ 'mesh.secret': 'a "quoted" secret' }, JSON.stringify({ detail: 'a "quoted" secret' })],
  [{ 'mesh.secret': 'a / in a URL' }, `/${encodeURIComponent('a / in a URL')}`],
])('a secret of %j is found in %j', (settings, text) => {
  const scan = new SecretScan();
  scan.use(...secretsOf(settings as Record<string, string>));
  scan.line('{"event":"node.start"}');
  expect(scan.takeLeaks()).toEqual([]);
  scan.line(text);
  scan.output(text);
  expect(scan.takeLeaks()).toEqual([text, text]);
  expect(scan.takeLeaks()).toEqual([]);
});

test.each([
  '{"detail":"no such stream: live/cam?key=hush"}',
  '{"url":"/live/cam.flv?x=1&tw_sig=Zm9v"}',
  '{"detail":"eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJ0In0.c2ln"}',
  '{"headers":"authorization: Bearer 0123456789abcdef"}',
])('what looks like a secret is found in a log, whoever gave it: %s', (line) => {
  const scan = new SecretScan();
  scan.line(line);
  expect(scan.takeLeaks()).toEqual([line]);
  scan.output(line);
  expect(scan.takeLeaks()).toEqual([]);
});

test('what is no secret may be in lines', () => {
  const scan = new SecretScan();
  scan.use(...secretsOf({ 'node.id': 'the-node-id', 'registry.url': 'redis://127.0.0.1:6379' }));
  scan.line('{"node":"the-node-id","detail":"append ?key=... to it","realm":"Bearer realm"}');
  scan.line('redis://127.0.0.1:6379');
  expect(scan.takeLeaks()).toEqual([]);
});

test('a secret that would be found by chance is not taken', () => {
  expect(() => new SecretScan().use('hush')).toThrow('"hush" is too short to be looked for');
});

test('what a command says is held against what it was given', async () => {
  const { stderr } = await runCommand(['hush-hush'], { TIDEWAY_PUBLISH_SECRET: 'hush-hush' });
  expect(stderr).toContain('hush-hush');
  expect(secretScan.takeLeaks()).toEqual([stderr]);
});

test("each line of a node in this process is held against the node's secrets, to its last", async () => {
  const node = await runNode({ 'publish.secret': 'node.stop' });
  expect(secretScan.takeLeaks()).toEqual([]);
  await node.stop();
  expect(secretScan.takeLeaks()).toEqual([expect.stringContaining('"event":"node.stop"')]);
});
