import { rm, writeFile } from 'node:fs/promises';
import type { SecureContextOptions } from 'node:tls';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import type { Log } from '../../../src/base/log.ts';
import { CertificateFiles, type CertificatePaths } from '../../../src/node/certificate-files.ts';
import { Authority, type MadeCertificate, overwrite } from '../../support/certificates.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { until } from '../../support/until.ts';

const LOOK_MS = 5_000;
const DAY_MS = 86_400_000;

let authority: Authority;
let first: MadeCertificate;
let second: MadeCertificate;
let place: MadeCertificate;
let clock: FakeClock;
let lines: { event: string; fields: Record<string, unknown> }[];

beforeAll(async () => {
  authority = await Authority.make();
  [first, second] = await Promise.all([authority.sign('first'), authority.sign('second')]);
});

beforeEach(async () => {
  clock = new FakeClock(1000, Date.now());
  lines = [];
  place = await authority.copy(first, 'place');
});

function open(paths: CertificatePaths = place): CertificateFiles {
  const write = (fields: object, event: string) => void lines.push({ event, fields: { ...fields } });
  const log: Log = { debug: write, info: write, warn: write, error: write };
  return new CertificateFiles(paths, { clock, log, name: 'tls' });
}

function eventsOf(): string[] {
  return lines.map(({ event, fields }) => (fields.code ? `${event} ${fields.code}` : event));
}

test('a pair is read at once, and nothing older than TLS 1.2 is spoken', async () => {
  const files = open();
  expect(files.fingerprint).toBe(first.fingerprint);
  expect(files.options.minVersion).toBe('TLSv1.2');
  expect(files.expirySeconds).toBeGreaterThan(29 * 86_400);
});

test.each([
  ['tls.unreadable', { cert: '/nowhere/a.pem' }],
  ['tls.unreadable', { key: '/nowhere/a.key' }],
  ['tls.bad-certificate', { cert: 'key' }],
  ['tls.bad-key', { key: 'cert' }],
  ['tls.key-mismatch', { key: 'second' }],
  ['tls.bad-certificate', { ca: 'key' }],
] as const)('a pair that can not be used is refused with %s: %o', (code, wrong) => {
  const files: Record<string, string> = { key: first.key, cert: first.cert, second: second.key };
  const named = Object.fromEntries(Object.entries(wrong).map(([name, of]) => [name, files[of] ?? of]));
  expect(() => open({ ...place, ...named })).toThrow(expect.objectContaining({ code }));
});

test('a new pair in the same files is taken within seconds, and given to the servers', async () => {
  const files = open();
  const given: SecureContextOptions[] = [];
  files.renews({ setSecureContext: (options) => given.push(options) });
  files.start();
  await overwrite(place, second);
  clock.advance(LOOK_MS);
  await until('it is taken', () => files.fingerprint === second.fingerprint);
  expect(given).toEqual([files.options]);
  expect(eventsOf()).toEqual(['tls.reloaded']);
  expect([files.reloads, files.failures]).toEqual([1, 0]);
  files.stop();
  expect(clock.timerCount).toBe(0);
});

test('half a new pair keeps the old one, and is complained of once it stays so, and once', async () => {
  const files = open();
  const given: SecureContextOptions[] = [];
  files.renews({ setSecureContext: (options) => given.push(options) });
  await overwrite(place, { ...first, cert: second.cert });
  await lookAt(files);
  expect(eventsOf()).toEqual([]);
  await lookAt(files);
  await lookAt(files);
  expect(eventsOf()).toEqual(['tls.reload-failed tls.key-mismatch']);
  expect([files.fingerprint, files.reloads, files.failures]).toEqual([first.fingerprint, 0, 1]);
  expect(given).toEqual([]);
  await overwrite(place, second);
  await lookAt(files);
  expect(files.fingerprint).toBe(second.fingerprint);
  files.stop();
});

test('who asks for a look is told at once of what is broken, and the key is in no line', async () => {
  const files = open();
  await writeFile(place.key, 'nonsense');
  await files.reload();
  expect(eventsOf()).toEqual(['tls.reload-failed tls.bad-key']);
  expect(JSON.stringify(lines)).not.toContain('nonsense');
  await writeFile(place.cert, '');
  await files.reload();
  expect(eventsOf()).toEqual(['tls.reload-failed tls.bad-key', 'tls.reload-failed tls.bad-certificate']);
  expect(files.fingerprint).toBe(first.fingerprint);
});

test('files that are gone are complained of, and the pair stays in use', async () => {
  const files = open();
  await rm(place.key);
  await files.reload();
  await files.reload();
  expect(eventsOf()).toEqual(['tls.reload-failed tls.unreadable']);
  expect(files.fingerprint).toBe(first.fingerprint);
});

test('one that ends soon, or has ended, is warned of each day', async () => {
  const short = await authority.sign('short', { days: 1 });
  const files = open(short);
  files.start();
  expect(lines).toMatchObject([{ event: 'tls.expiry', fields: { detail: 'the certificate ends soon' } }]);
  clock.advance(DAY_MS / 2);
  expect(lines).toHaveLength(1);
  clock.advance(DAY_MS);
  expect(lines).toHaveLength(2);
  expect(files.expirySeconds).toBeLessThan(0);
  expect(lines[1]?.fields.detail).toContain('has ended');
  files.stop();
});

/** One look, as its timer makes it. */
async function lookAt(files: CertificateFiles): Promise<void> {
  files.start();
  clock.advance(LOOK_MS);
  files.stop();
  await files.settled();
}
