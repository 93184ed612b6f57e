import { describe, expect, test } from 'vitest';
import { TidewayError } from '../../../src/base/errors.ts';
import { parseStreamKey } from '../../../src/base/stream-key.ts';
import { DOWN_MS, FRESH_MS, GuardedRegistry, MAX_KEPT, USABLE_MS } from '../../../src/registry/guarded.ts';
import { MemoryRegistry } from '../../../src/registry/memory.ts';
import { CALL_WITHIN_MS, type Lookup } from '../../../src/registry/registry.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { ownerOf } from '../../support/registries.ts';
import { settle } from '../../support/settle.ts';

const KEY = parseStreamKey('live', 'show');
const A = ownerOf('a');
const AWAY = new TidewayError('registry.unavailable', 'away');

/** A registry whose lookups answer, fail, or hang, as the test says. */
class Moody extends MemoryRegistry {
  mood: 'well' | 'away' | 'silent' | 'cross' = 'well';
  asked = 0;
  #hung: (() => void)[] = [];

  override async lookup(key: typeof KEY): Promise<Lookup> {
    this.asked += 1;
    if (this.mood === 'away') throw AWAY;
    if (this.mood === 'cross') throw new TidewayError('registry.refused', 'no');
    if (this.mood === 'silent') await new Promise<void>((resolve) => this.#hung.push(resolve));
    return super.lookup(key);
  }

  answerAll(): void {
    for (const resolve of this.#hung.splice(0)) resolve();
  }
}

function stage() {
  const clock = new FakeClock();
  const inner = new Moody({ clock });
  const guarded = new GuardedRegistry(inner, { clock });
  const claim = () =>
    guarded.claim({
      ...{ key: KEY, owner: A, publisher: 'a-1', reason: 'publish', mode: 'takeover', minEpoch: 0, tag: 1 },
    });
  return { clock, inner, guarded, claim };
}

/** Makes a call that finds the registry away. */
async function fall(inner: Moody, guarded: GuardedRegistry): Promise<void> {
  inner.mood = 'away';
  await expect(guarded.lookup(parseStreamKey('live', 'other'))).rejects.toBe(AWAY);
}

test('a call that is not answered fails in time, and its late answer changes nothing', async () => {
  const { clock, inner, guarded } = stage();
  inner.mood = 'silent';
  const failed = expect(guarded.lookup(KEY)).rejects.toMatchObject({ code: 'registry.timeout' });
  clock.pass(CALL_WITHIN_MS - 1);
  await settle();
  expect(guarded.timeouts).toBe(0);
  clock.pass(1);
  await failed;
  expect(guarded).toMatchObject({ state: 'down', timeouts: 1, failures: 1 });
  inner.answerAll();
  await settle();
  expect(guarded.state).toBe('down');
  expect(guarded.tables[0]).toEqual({ table: 'registry_lookups', entries: 0, limit: MAX_KEPT });
  expect(clock.timerCount).toBe(0);
});

test('an answer that waited while this process was late is not a timeout', async () => {
  const { clock, inner, guarded } = stage();
  inner.mood = 'silent';
  const found = guarded.lookup(KEY);
  await settle();
  clock.advance(CALL_WITHIN_MS * 3);
  inner.answerAll();
  await settle();
  clock.turn();
  expect(await found).toMatchObject({ key: KEY });
  expect(guarded).toMatchObject({ state: 'up', timeouts: 0 });
});

describe('a registry that is away', () => {
  test('is left alone for a while, then tried by one call', async () => {
    const { clock, inner, guarded } = stage();
    await fall(inner, guarded);
    clock.advance(DOWN_MS - 1);
    await expect(guarded.lookup(KEY)).rejects.toMatchObject({ code: 'registry.down' });
    expect(inner.asked).toBe(1);
    clock.advance(1);
    inner.mood = 'silent';
    const tried = guarded.lookup(KEY);
    expect(guarded.state).toBe('trying');
    await expect(guarded.nodes()).rejects.toMatchObject({ code: 'registry.down' });
    expect(guarded.spared).toBe(2);
    inner.answerAll();
    await tried;
    expect(guarded.state).toBe('up');
    expect(await guarded.nodes()).toEqual([]);
  });

  test('that fails the try is left alone again', async () => {
    const { clock, inner, guarded } = stage();
    await fall(inner, guarded);
    clock.advance(DOWN_MS);
    await fall(inner, guarded);
    clock.advance(DOWN_MS - 1);
    await expect(guarded.nodes()).rejects.toMatchObject({ code: 'registry.down' });
    clock.advance(1);
    expect(await guarded.nodes()).toEqual([]);
  });

  test('is not down for longer because calls from before it fail one by one', async () => {
    const { clock, inner, guarded } = stage();
    inner.mood = 'silent';
    const first = expect(guarded.lookup(KEY)).rejects.toMatchObject({ code: 'registry.timeout' });
    clock.advance(400);
    const second = expect(guarded.lookup(parseStreamKey('live', 'b'))).rejects.toMatchObject({
      code: 'registry.timeout',
    });
    clock.pass(100);
    await first;
    clock.pass(400);
    await second;
    inner.mood = 'well';
    clock.advance(DOWN_MS - 400);
    expect(await guarded.nodes()).toEqual([]);
  });

  test('and one that refuses are two things: a refusal is passed on, and nothing is down', async () => {
    const { inner, guarded } = stage();
    inner.mood = 'cross';
    await expect(guarded.lookup(KEY)).rejects.toMatchObject({ code: 'registry.refused' });
    expect(guarded).toMatchObject({ state: 'up', failures: 0 });
  });
});

describe('a lookup', () => {
  test('is remembered as fresh for a moment', async () => {
    const { clock, inner, guarded, claim } = stage();
    await claim();
    const found = await guarded.lookup(KEY);
    clock.advance(FRESH_MS - 1);
    expect(await guarded.lookup(KEY)).toEqual({ ...found, ageMs: FRESH_MS - 1 });
    expect(inner.asked).toBe(1);
    clock.advance(1);
    expect(await guarded.lookup(KEY)).toMatchObject({ ageMs: 0 });
    expect(inner.asked).toBe(2);
    expect(guarded.freshHits).toBe(1);
  });

  test('by many at once is one call', async () => {
    const { inner, guarded } = stage();
    await Promise.all(Array.from({ length: 100 }, () => guarded.lookup(KEY)));
    expect(inner.asked).toBe(1);
  });

  test('is made anew after a change of its own, or a hint', async () => {
    const { inner, guarded, claim } = stage();
    await guarded.lookup(KEY);
    await claim();
    expect((await guarded.lookup(KEY)).origin).toMatchObject(A);
    guarded.forget(KEY);
    await guarded.lookup(KEY);
    expect(inner.asked).toBe(3);
  });

  test('that was under way during a change is not remembered', async () => {
    const { inner, guarded, claim } = stage();
    inner.mood = 'silent';
    const early = guarded.lookup(KEY);
    await claim();
    inner.mood = 'well';
    inner.answerAll();
    await early;
    await guarded.lookup(KEY);
    expect(inner.asked).toBe(2);
  });

  test('is answered from memory while the registry is away, with its age, as long as it is usable', async () => {
    const { clock, inner, guarded, claim } = stage();
    await claim();
    const found = await guarded.lookup(KEY);
    guarded.forget(KEY);
    await fall(inner, guarded);
    expect(await guarded.lookup(KEY)).toEqual({ ...found, ageMs: 0 });
    clock.advance(USABLE_MS - 1);
    expect(await guarded.lookup(KEY)).toEqual({ ...found, ageMs: USABLE_MS - 1 });
    expect(guarded.staleHits).toBe(2);
    clock.advance(1);
    await expect(guarded.lookup(KEY)).rejects.toMatchObject({ code: 'registry.down' });
  });

  test('that found nobody is no help while the registry is away', async () => {
    const { clock, inner, guarded } = stage();
    await guarded.lookup(KEY);
    clock.advance(FRESH_MS);
    await fall(inner, guarded);
    await expect(guarded.lookup(KEY)).rejects.toMatchObject({ code: 'registry.down' });
  });

  test('is remembered for a bounded number of streams', async () => {
    const { inner, guarded } = stage();
    const keys = Array.from({ length: MAX_KEPT + 1 }, (_, at) => parseStreamKey('live', `s${at}`));
    for (const key of keys) await guarded.lookup(key);
    expect(guarded.tables[0]).toEqual({ table: 'registry_lookups', entries: MAX_KEPT, limit: MAX_KEPT });
    const { asked } = inner;
    await guarded.lookup(keys.at(-1) ?? KEY);
    expect(inner.asked).toBe(asked);
    await guarded.lookup(keys[0] ?? KEY);
    expect(inner.asked).toBe(asked + 1);
  });
});
