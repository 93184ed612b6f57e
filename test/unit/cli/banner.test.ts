import { expect, test } from 'vitest';
import { banner } from '../../../src/cli/banner.ts';
import { loadConfig } from '../../../src/config/load.ts';

const PORTS = { rtmpPort: 1935, rtmpsPort: 0, httpPort: 8080, httpsPort: 0, meshPort: 0 };

function shown(flags: Record<string, string> = {}, lanAddress?: string, ports = PORTS): string {
  const config = loadConfig({ flags, newNodeId: () => 'node-1' });
  return banner({ config, version: '1.2.3', ...ports, lanAddress });
}

test('it has what OBS, ffmpeg and a player need, to paste as it is', () => {
  const text = shown();
  expect(text).toMatch(/OBS, server +rtmp:\/\/127\.0\.0\.1\/live$/m);
  expect(text).toMatch(/OBS, stream key +demo$/m);
  expect(text).toMatch(/^ +ffmpeg +ffmpeg -re .* -f flv "rtmp:\/\/127\.0\.0\.1\/live\/demo"$/m);
  expect(text).toMatch(/URL +http:\/\/127\.0\.0\.1:8080\/live\/demo\.flv$/m);
  expect(text).toMatch(/in a browser +http:\/\/127\.0\.0\.1:8080\/watch\/$/m);
  expect(text).toMatch(/^See it\n +in a browser +http:\/\/127\.0\.0\.1:8080\/$/m);
});

test('it names the ports that the node got', () => {
  const text = shown({}, undefined, { ...PORTS, rtmpPort: 40001, httpPort: 40002 });
  expect(text).toContain('rtmp://127.0.0.1:40001/live');
  expect(text).toContain('http://127.0.0.1:40002/live/demo.flv');
});

test('it names the doors with TLS where there are none without', () => {
  const ports = { ...PORTS, rtmpPort: 0, rtmpsPort: 1936, httpPort: 0, httpsPort: 8443 };
  const text = shown({}, undefined, ports);
  expect(text).toMatch(/OBS, server +rtmps:\/\/127\.0\.0\.1:1936\/live$/m);
  expect(text).toContain('https://127.0.0.1:8443/live/demo.flv');
  const without = shown({}, undefined, { ...ports, rtmpsPort: 0 });
  expect(without).toMatch(/HTTP-FLV, POST +https:\/\/127\.0\.0\.1:8443\/live\/demo\.flv$/m);
  expect(without).not.toContain('rtmp');
});

test('it never has the publish secret, but the place where it goes', () => {
  const text = shown({ 'publish.secret': 'correct-horse' });
  expect(text).not.toContain('correct-horse');
  expect(text).toMatch(/OBS, stream key +demo\?key=YOUR-PUBLISH-SECRET$/m);
});

test('it shows what the rules want, and says what to put there', () => {
  const keys = { 'auth.keys': 'k1=signing-secret-of-sixteen' };
  const signed = shown({ ...keys, 'auth.publish': 'live/*=signed' });
  expect(signed).toMatch(/OBS, stream key +demo\?OUTPUT-OF-TIDEWAY-SIGN$/m);
  expect(signed).toMatch(
    /-f flv ".*" *\n +This node wants a signed URL: put what "tideway sign publish live\/demo"/,
  );
  expect(signed).not.toContain('?key=');
  const closed = shown({ ...keys, 'auth.publish': 'cam/*=signed' });
  expect(closed).toMatch(
    /No rule of this node lets anybody publish live\/demo: take a stream key that one does\.$/m,
  );
  expect(shown()).not.toContain('This node wants');
});

test('it tells the address for other machines only if they can reach the node', () => {
  expect(shown({}, '192.0.2.7')).toContain('From another machine: 192.0.2.7 in place of 127.0.0.1.');
  expect(shown({ host: '127.0.0.1' }, '192.0.2.7')).not.toContain('192.0.2.7');
});

test('an IPv6 address is put in brackets', () => {
  expect(shown({ host: '::1' })).toContain('http://[::1]:8080/live/demo.flv');
});

test('without a watch page or a dashboard it names none', () => {
  expect(shown({ 'watch.enabled': 'false' })).not.toContain('/watch/');
  expect(shown({ 'dashboard.enabled': 'false' })).not.toContain('See it');
});

test('a node of a cluster says so, and on which port the others reach it', () => {
  const flags = { 'registry.url': 'redis://127.0.0.1', 'mesh.secret': 'correct-horse-battery' };
  const text = shown(flags, undefined, { ...PORTS, meshPort: 7936 });
  expect(text).toMatch(/^It is a node of a cluster: the other nodes reach it at port 7936\.$/m);
  expect(text).not.toContain('correct-horse');
  expect(shown()).not.toContain('cluster');
});
