import { expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { reloading } from '../../../src/config/reload.ts';
import { configKeys } from '../../../src/config/schema.ts';

const load = (flags: Record<string, string> = {}) => loadConfig({ flags: { 'node.id': 'a', ...flags } });

test('what can take effect does; what needs a restart stays, and is named', () => {
  const before = load({ 'rtmp.port': '1936', 'publish.holdMs': '1000' });
  const read = load({
    ...{ 'rtmp.port': '1937', host: '127.0.0.1', 'publish.holdMs': '2000' },
    'play.maxPlayersPerStream': '7',
  });
  const { config, changed, needsRestart } = reloading(before, read);
  // holdAfterStopMs follows holdMs.
  expect(changed).toEqual(['publish.holdMs', 'publish.holdAfterStopMs', 'play.maxPlayersPerStream']);
  expect(needsRestart).toEqual(['host', 'rtmp.port']);
  expect([config.host, config.rtmp.port, config.publish.holdMs, config.play.maxPlayersPerStream]).toEqual([
    ...['0.0.0.0', 1936, 2_000, 7],
  ]);
  expect(before.publish.holdMs).toBe(1_000);
});

test('the same, read again, changes nothing; a key that is taken away has its default again', () => {
  const prices = { 'routing.prices': 'eu>us=1', 'api.tokens': `eva=viewer:${'ab'.repeat(32)}` };
  expect(reloading(load(prices), load(prices))).toMatchObject({ changed: [], needsRestart: [] });
  const { config, changed } = reloading(load(prices), load());
  expect(changed).toEqual(['routing.prices', 'api.tokens']);
  expect([config.routing.prices, config.api.tokens]).toEqual([undefined, undefined]);
});

test('what needs a restart is named each time, until there was one', () => {
  const first = reloading(load(), load({ 'http.port': '9000' }));
  expect(reloading(first.config, load({ 'http.port': '9000' })).needsRestart).toEqual(['http.port']);
  expect(reloading(first.config, load()).needsRestart).toEqual([]);
});

test('no key of a port, an address or a secret between nodes takes effect by itself', () => {
  const live = configKeys.filter(({ isLive }) => isLive).map(({ path }) => path);
  expect(live).toContain('log.level');
  expect(live.filter((path) => /port$|^host$|^node\.|^mesh\.|^registry\.|^memory\./i.test(path))).toEqual([]);
});
