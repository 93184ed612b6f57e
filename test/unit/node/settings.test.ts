import { expect, test } from 'vitest';
import { TidewayError } from '../../../src/base/errors.ts';
import { ConfigError } from '../../../src/config/config-error.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { Config } from '../../../src/config/schema.ts';
import { type Prepared, Settings } from '../../../src/node/settings.ts';
import { FakeLog } from '../../support/media.ts';

const READY: Prepared = { changed: [], take: () => {} };
const SECRET = 'correct-horse-battery';
const load = (flags: Record<string, string> = {}) => loadConfig({ flags: { 'node.id': 'a', ...flags } });

function settings(read: () => Promise<Config>, prepare: (next: Config) => Prepared = () => READY) {
  const log = new FakeLog();
  const told: Config[] = [];
  const changed = (config: Config) => told.push(config);
  return { log, told, of: new Settings(load(), { log, read, prepare, changed }) };
}

test('a part that somebody keeps tells what is in effect; a key without a value may get one', async () => {
  const { of, told } = settings(async () => load({ 'alarms.hopMs': '900', 'play.maxPlayersPerStream': '5' }));
  const alarms = of.part((config) => config.alarms);
  const play = of.part(({ play: { waitMs, maxPlayersPerStream } }) => ({ waitMs, maxPlayersPerStream }));
  expect([alarms.hopMs, play.maxPlayersPerStream]).toEqual([500, undefined]);
  await of.reload('SIGHUP');
  expect([alarms.hopMs, play.maxPlayersPerStream, { ...play }.waitMs]).toEqual([900, 5, 2_000]);
  expect(told).toEqual([of.now]);
});

test('what is made of the configuration is made once for each', async () => {
  let made = 0;
  const { of } = settings(async () => load({ 'alarms.hopMs': '900' }));
  const part = of.part(({ alarms }) => {
    made += 1;
    return { hopMs: alarms.hopMs };
  });
  for (let at = 0; at < 10; at += 1) expect(part.hopMs).toBe(500);
  await of.reload('api');
  for (let at = 0; at < 10; at += 1) expect(part.hopMs).toBe(900);
  expect(made).toBe(2);
});

test('the log names keys, and no values', async () => {
  const { of, log } = settings(async () => load({ 'api.token': SECRET, 'http.port': '9000' }));
  expect(await of.reload('SIGHUP')).toMatchObject({ changed: ['api.token'], needsRestart: ['http.port'] });
  const fields = { by: 'SIGHUP', changed: 'api.token', needsRestart: 'http.port' };
  expect(log.lines).toEqual([{ level: 'info', event: 'config.reloaded', fields }]);
});

test('a configuration with a mistake changes nothing, and is told', async () => {
  const { of, log, told } = settings(async () => load({ 'alarms.hopMs': '900', 'play.waitMs': 'soon' }));
  const before = of.now;
  await expect(of.reload('api')).rejects.toThrow(ConfigError);
  expect([of.now, told]).toEqual([before, []]);
  expect(log.lines).toMatchObject([
    { level: 'error', event: 'config.reload-failed', fields: { by: 'api', code: 'config.invalid' } },
  ]);
  expect(of.metrics()[0]?.samples.map(({ value }) => value)).toEqual([0, 1]);
});

test('what goes by it is made ready before it is in effect, and taken then', async () => {
  const steps: string[] = [];
  const { of, told } = settings(
    async () => load({ 'alarms.hopMs': '900' }),
    (next) => {
      steps.push(`ready for ${next.alarms.hopMs} at ${of.now.alarms.hopMs}`);
      return {
        changed: ['auth.jwt.publicKeyFile', 'alarms.hopMs'],
        take: () => steps.push(`taken at ${of.now.alarms.hopMs}, ${told.length} told`),
      };
    },
  );
  expect((await of.reload('api')).changed).toEqual(['alarms.hopMs', 'auth.jwt.publicKeyFile']);
  expect(steps).toEqual(['ready for 900 at 500', 'taken at 900, 0 told']);
  expect(told).toHaveLength(1);
});

test('what can not be made ready is refused whole, and told', async () => {
  const { of, log, told } = settings(
    async () => load({ 'alarms.hopMs': '900' }),
    () => {
      throw new TidewayError('auth.key', 'it can not be read');
    },
  );
  const before = of.now;
  await expect(of.reload('SIGHUP')).rejects.toThrow('it can not be read');
  expect([of.now, told]).toEqual([before, []]);
  expect(log.of('config.reload-failed')).toEqual([
    { by: 'SIGHUP', code: 'auth.key', detail: 'it can not be read' },
  ]);
});

test('who asks while it is read is told the same, and it is read once', async () => {
  let reads = 0;
  const { of } = settings(async () => {
    reads += 1;
    return load({ 'alarms.hopMs': '900' });
  });
  const [first, second] = await Promise.all([of.reload('api'), of.reload('SIGHUP')]);
  expect([first === second, reads]).toEqual([true, 1]);
  expect((await of.reload('api')).changed).toEqual([]);
});
