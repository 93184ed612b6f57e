import { describe, expect, test } from 'vitest';
import { TidewayError } from '../../../src/base/errors.ts';
import { parseStreamKey } from '../../../src/base/stream-key.ts';
import { ClaimKeeper, RENEW_MS, RETRY_MS } from '../../../src/registry/claim-keeper.ts';
import { Claimant } from '../../../src/registry/claimant.ts';
import { MemoryRegistry, MemoryState } from '../../../src/registry/memory.ts';
import { CLAIM_LEASE_MS, type OriginRecord, type RenewRequest } from '../../../src/registry/registry.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { ownerOf } from '../../support/registries.ts';
import { settle } from '../../support/settle.ts';

const KEY = parseStreamKey('live', 'show');
const HOW = { mode: 'takeover', reason: 'publish' } as const;

/** A registry that can go away, and that remembers the renewals that reached it. */
class Watched extends MemoryRegistry {
  isAway = false;
  readonly renewed: RenewRequest[] = [];

  override async claim(...args: Parameters<MemoryRegistry['claim']>) {
    this.#check();
    return super.claim(...args);
  }
  override async renew(request: RenewRequest) {
    this.#check();
    this.renewed.push(request);
    return super.renew(request);
  }
  override async release(...args: Parameters<MemoryRegistry['release']>) {
    this.#check();
    return super.release(...args);
  }
  #check(): void {
    if (this.isAway) throw new TidewayError('registry.unavailable', 'away');
  }
}

function stage(whileAway: 'accept' | 'reject' = 'accept') {
  const clock = new FakeClock();
  const state = new MemoryState();
  const registry = new Watched({ clock, state });
  const lost: (OriginRecord | undefined)[] = [];
  const claimantOf = (node: string, tag: number) =>
    new Claimant(
      { owner: ownerOf(node), tag, whileAway },
      { registry, registryWallMs: () => registry.registryWallMs() },
    );
  const claimant = claimantOf('a', 1);
  const keep = async (by = claimant) => {
    const claimed = await by.claim(KEY, HOW);
    if (claimed.is !== 'claimed') throw new Error('taken');
    return new ClaimKeeper(claimed.claim, {
      registry,
      clock,
      random: () => 0.5,
      lost: (who) => lost.push(who),
    });
  };
  /** Time goes by in steps, so that answers come while it does. */
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 100) {
      clock.pass(Math.min(left, 100));
      await settle();
    }
  };
  return { clock, state, registry, lost, claimant, claimantOf, keep, pass };
}

describe('a kept claim', () => {
  test('is renewed every 3 s, and so never expires', async () => {
    const { registry, keep, pass } = stage();
    const keeper = await keep();
    await pass(60_000);
    expect(registry.renewed).toHaveLength(20);
    expect(keeper).toMatchObject({ at: 'keeping', standing: 'granted', renewals: 20, heals: 0 });
    expect((await registry.lookup(KEY)).origin).toMatchObject({ epoch: keeper.claim.epoch });
  });

  test('spreads its renewals by a tenth', async () => {
    const { registry, clock, claimant } = stage();
    const claimed = await claimant.claim(KEY, HOW);
    if (claimed.is !== 'claimed') throw new Error('taken');
    const draws = [0, 0.999];
    const deps = { registry, clock, random: () => draws.shift() ?? 0.5, lost: () => {} };
    new ClaimKeeper(claimed.claim, deps);
    clock.advance(RENEW_MS * 0.9);
    await settle();
    expect(registry.renewed).toHaveLength(1);
    clock.advance(RENEW_MS);
    await settle();
    expect(registry.renewed).toHaveLength(1);
    clock.advance(RENEW_MS * 0.1);
    expect(registry.renewed).toHaveLength(2);
  });

  test('tells at once that its publisher went or came back, also during a renewal', async () => {
    const { registry, keep, pass } = stage();
    const keeper = await keep();
    keeper.setState('held');
    await pass(1);
    expect((await registry.lookup(KEY)).origin?.state).toBe('held');
    void keeper.renewNow();
    keeper.setState('live');
    await pass(1);
    await pass(1);
    expect((await registry.lookup(KEY)).origin?.state).toBe('live');
    expect(registry.renewed).toHaveLength(3);
  });

  test('is put again when the registry was wiped, with the same epoch', async () => {
    const { state, registry, keep, pass } = stage();
    const keeper = await keep();
    state.wipe();
    keeper.renewWithin(1000);
    await pass(1000);
    expect((await registry.lookup(KEY)).origin).toMatchObject({ epoch: keeper.claim.epoch });
    expect(keeper.heals).toBe(1);
  });

  test('outlives an outage of the registry, and stands again soon after it', async () => {
    const { registry, lost, keep, pass } = stage();
    const keeper = await keep();
    registry.isAway = true;
    await pass(120_000);
    expect(keeper.at).toBe('keeping');
    expect((await registry.lookup(KEY)).origin).toBeUndefined();
    registry.isAway = false;
    await pass(RETRY_MS);
    expect((await registry.lookup(KEY)).origin).toMatchObject({ epoch: keeper.claim.epoch });
    expect(lost).toEqual([]);
  });

  test('that was taken over is lost, once, and is renewed no more', async () => {
    const { clock, registry, lost, keep, claimantOf, pass } = stage();
    const keeper = await keep();
    const winner = await claimantOf('b', 2).claim(KEY, HOW);
    await pass(RENEW_MS * 2);
    expect(lost).toMatchObject([{ node: 'b', epoch: winner.is === 'claimed' && winner.claim.epoch }]);
    expect(keeper.at).toBe('lost');
    expect(registry.renewed).toHaveLength(1);
    expect(clock.timerCount).toBe(0);
    expect(await keeper.renewNow()).toBe('lost');
    await keeper.release();
    expect((await registry.lookup(KEY)).origin).toMatchObject({ node: 'b' });
  });

  test('that is released is free at once, and no renewal follows', async () => {
    const { clock, registry, lost, keep, pass } = stage();
    const keeper = await keep();
    const late = keeper.renewNow();
    await keeper.release();
    await keeper.release();
    await late;
    await pass(10_000);
    expect(keeper.at).toBe('released');
    expect((await registry.lookup(KEY)).origin).toBeUndefined();
    expect(clock.timerCount).toBe(0);
    expect(lost).toEqual([]);
  });

  test('is released calmly while the registry is away: its lease runs out', async () => {
    const { registry, keep, pass } = stage();
    const keeper = await keep();
    registry.isAway = true;
    await keeper.release();
    registry.isAway = false;
    await pass(CLAIM_LEASE_MS);
    expect((await registry.lookup(KEY)).origin).toBeUndefined();
  });
});

describe('while the registry is away', () => {
  test('a publisher is accepted with a provisional epoch, which the registry takes in when it is back', async () => {
    const { registry, claimant, keep, pass } = stage();
    registry.isAway = true;
    const keeper = await keep();
    expect(keeper.standing).toBe('provisional');
    expect(claimant).toMatchObject({ highestEpoch: keeper.claim.epoch, provisionals: 1 });
    registry.isAway = false;
    await pass(RETRY_MS);
    expect(keeper).toMatchObject({ standing: 'granted', heals: 1 });
    expect((await registry.lookup(KEY)).origin).toMatchObject({ epoch: keeper.claim.epoch });
  });

  test('a provisional epoch gives way to a claim that was granted meanwhile elsewhere', async () => {
    const { registry, lost, claimantOf, keep, pass } = stage();
    registry.isAway = true;
    const keeper = await keep();
    registry.isAway = false;
    await claimantOf('b', 2).claim(KEY, HOW);
    await pass(RETRY_MS);
    expect(keeper.at).toBe('lost');
    expect(lost).toMatchObject([{ node: 'b' }]);
  });

  test('a publisher is refused, if that is the policy', async () => {
    const { registry, claimant } = stage('reject');
    registry.isAway = true;
    await expect(claimant.claim(KEY, HOW)).rejects.toMatchObject({ code: 'registry.unavailable' });
  });
});

describe('a claimant', () => {
  test('claims above every plausible epoch that it has seen, of whatever stream', async () => {
    const { clock, claimant } = stage();
    const seen = 4096 * (clock.wallMs() + 60_000 - Date.UTC(2024, 0, 1)) + 9;
    claimant.see(seen);
    claimant.see(2 ** 53 - 1);
    claimant.see(seen - 4096);
    expect(claimant.highestEpoch).toBe(seen);
    const claimed = await claimant.claim(KEY, HOW);
    expect(claimed.is === 'claimed' && claimed.claim.epoch).toBeGreaterThan(seen);
  });

  test('is told who has the stream, if it does not insist', async () => {
    const { claimant, claimantOf } = stage();
    await claimant.claim(KEY, HOW);
    const answer = await claimantOf('b', 2).claim(KEY, { ...HOW, mode: 'reject' });
    expect(answer).toMatchObject({ is: 'taken', by: { node: 'a' } });
  });

  test('gives two publishers of one stream two epochs, though they come at once', async () => {
    const { claimant } = stage();
    const both = await Promise.all([claimant.claim(KEY, HOW), claimant.claim(KEY, HOW)]);
    const [first, second] = both.map((one) => (one.is === 'claimed' ? one.claim.epoch : 0));
    expect(second).toBeGreaterThan(first ?? 0);
  });
});
