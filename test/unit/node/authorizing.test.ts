import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TidewayError } from '../../../src/base/errors.ts';
import { parseStreamKey } from '../../../src/base/stream-key.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { Authorizing } from '../../../src/node/authorizing.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeLog } from '../../support/media.ts';

const NOW_S = 1_800_000_000;
let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tideway-key-'));
  file = join(folder, 'key.pem');
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Makes a key, puts its public half in the file, and returns the other. */
function newKey(): KeyObject {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(file, publicKey.export({ type: 'spki', format: 'pem' }));
  return privateKey;
}

function configOf(flags: Record<string, string>) {
  return loadConfig({ flags: { 'node.id': 'a', ...flags } });
}

function authorizingOf(flags: Record<string, string>): Authorizing {
  const needs = { clock: new FakeClock(), log: new FakeLog(), wallMs: () => NOW_S * 1000 };
  return new Authorizing(configOf(flags), needs);
}

/** What becomes of a player with a token of the key. */
async function playing({ authorizer }: Authorizing, by: KeyObject): Promise<string> {
  const token = await new SignJWT({ aud: 'tideway', exp: NOW_S + 60, play: '*' })
    .setProtectedHeader({ alg: 'EdDSA' })
    .sign(by);
  try {
    const { way } = await authorizer.admitPlayer({
      ...{ key: parseStreamKey('live', 'cam'), query: new URLSearchParams({ tw_token: token }) },
      ...{ protocol: 'http-flv', remote: '203.0.113.7:5555', session: 'abcdefghijkl' },
    });
    return way;
  } catch (error) {
    return error instanceof TidewayError ? error.code : 'failed';
  }
}

test('the file of the key is read again each time, and named where it is new', async () => {
  const first = newKey();
  const flags = { 'auth.jwt.publicKeyFile': file, 'auth.play': '*=jwt' };
  const authorizing = authorizingOf(flags);
  const second = newKey();
  expect(await playing(authorizing, first)).toBe('jwt');
  const prepared = authorizing.prepare(configOf(flags));
  expect([prepared.changed, await playing(authorizing, first)]).toEqual([['auth.jwt.publicKeyFile'], 'jwt']);
  prepared.take();
  expect([await playing(authorizing, first), await playing(authorizing, second)]).toEqual([
    ...['auth.token', 'jwt'],
  ]);
  expect(authorizing.prepare(configOf(flags)).changed).toEqual([]);
  const [admitted] = authorizing.metrics();
  expect(admitted?.samples).toEqual([{ labels: { action: 'play', way: 'jwt' }, value: 3 }]);
});

test('a file that holds no key is refused, whatever it is, without waiting and without repeating it', async () => {
  const key = newKey();
  const flags = { 'auth.jwt.publicKeyFile': file, 'auth.play': '*=jwt' };
  const authorizing = authorizingOf(flags);
  const refusalOf = (path: string) => {
    try {
      authorizing.prepare(configOf({ ...flags, 'auth.jwt.publicKeyFile': path }));
      return 'taken';
    } catch (error) {
      return error instanceof TidewayError ? `${error.code} ${error.message}` : 'failed';
    }
  };
  const of = (name: string) => join(folder, name);
  writeFileSync(of('text'), 'hush-no-key');
  writeFileSync(of('large'), Buffer.alloc(64 * 1024 + 1));
  execFileSync('mkfifo', [of('pipe')]);
  const read = (name: string, why: string) =>
    `auth.key ${of(name)}: auth.jwt.publicKeyFile can't be read (${why})`;
  expect(['text', 'large', 'pipe', 'none'].map((name) => refusalOf(of(name)))).toEqual([
    "auth.key auth.jwt.publicKeyFile can't be used: it is no PEM public key",
    read('large', 'it has over 65536 bytes'),
    read('pipe', 'it is no file'),
    read('none', 'ENOENT'),
  ]);
  expect(await playing(authorizing, key)).toBe('jwt');
});
