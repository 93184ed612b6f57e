import { beforeEach, describe, expect, test } from 'vitest';
import { TidewayError } from '../../../src/base/errors.ts';
import { BEAT_MS, BEAT_RETRY_MS, Membership } from '../../../src/registry/membership.ts';
import { MemoryRegistry, MemoryState } from '../../../src/registry/memory.ts';
import { NODE_LEASE_MS } from '../../../src/registry/registry.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeLog } from '../../support/media.ts';
import { nodeRecordOf, ownerOf } from '../../support/registries.ts';
import { settle } from '../../support/settle.ts';

/** A registry that can go away. */
class Leaving extends MemoryRegistry {
  isAway = false;
  beats = 0;

  override async beat(...args: Parameters<MemoryRegistry['beat']>) {
    this.beats += 1;
    if (this.isAway) throw new TidewayError('registry.unavailable', 'away');
    return super.beat(...args);
  }
}

let clock: FakeClock;
let log: FakeLog;
let state: MemoryState;
let registry: Leaving;

beforeEach(() => {
  clock = new FakeClock();
  log = new FakeLog();
  state = new MemoryState();
  registry = new Leaving({ clock, state });
});

/** A node that may become a member, and what it was told. */
function memberOf(node: string, life = 0) {
  const owner = ownerOf(node, life);
  const told: string[] = [];
  const changes = { draining: false };
  const membership = new Membership(owner, {
    ...{ registry, clock, log, random: () => 0.5 },
    record: () => nodeRecordOf(owner, changes),
    peersRegistryWallMs: () => undefined,
    changed: () => void told.push('changed'),
    wiped: () => void told.push('wiped'),
    back: () => void told.push('back'),
    taken: ({ code }) => void told.push(code),
  });
  return { membership, told, changes, owner };
}

/** Lets time go by in steps, so that answers come while it does. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 50) {
    clock.pass(Math.min(left, 50));
    await settle();
  }
}

const ids = (membership: Membership) => membership.nodes().map(({ record }) => record.node);

describe('a member', () => {
  test('beats once a second, and sees others a second after they came', async () => {
    const a = memberOf('a');
    await a.membership.start();
    await pass(10 * BEAT_MS);
    expect(registry.beats).toBeGreaterThanOrEqual(10);
    expect(registry.beats).toBeLessThanOrEqual(12);
    const b = memberOf('b');
    await b.membership.start();
    expect(ids(b.membership)).toEqual(['a']);
    await pass(BEAT_MS * 1.1);
    expect(a.membership.nodes()).toMatchObject([{ record: { node: 'b', boot: b.owner.boot } }]);
    expect(a.told.filter((what) => what !== 'changed')).toEqual([]);
    await b.membership.leave();
    await pass(NODE_LEASE_MS);
    expect(ids(a.membership)).toEqual([]);
    await a.membership.leave();
    await a.membership.leave();
    expect(await registry.nodes()).toEqual([]);
    expect(clock.timerCount).toBe(0);
  });

  test('tells at once what changed of it', async () => {
    const a = memberOf('a');
    const b = memberOf('b');
    await a.membership.start();
    a.changes.draining = true;
    a.membership.beatNow();
    a.membership.beatNow();
    await settle();
    await b.membership.start();
    expect(b.membership.nodes()).toMatchObject([{ record: { node: 'a', draining: true } }]);
    expect(registry.beats).toBe(3);
  });

  test('is told that the registry was wiped, once for each time, and is in the list again', async () => {
    const { membership, told } = memberOf('a');
    await membership.start();
    state.wipe();
    await pass(BEAT_MS * 3);
    expect(told.filter((what) => what !== 'changed')).toEqual(['wiped']);
    expect(await registry.nodes()).toHaveLength(1);
    expect(membership.wipes).toBe(1);
    expect(log.of('registry.wiped')).toHaveLength(1);
  });

  test('starts with the registry away, says why, and joins when it is there', async () => {
    registry.isAway = true;
    const { membership, told } = memberOf('a');
    await membership.start();
    expect(membership.state).toMatchObject({ at: 'away', why: { code: 'registry.unavailable' } });
    await pass(10_000);
    expect(log.of('registry.away'), 'said once').toHaveLength(1);
    registry.isAway = false;
    await pass(BEAT_RETRY_MS * 1.1);
    expect(membership.state).toEqual({ at: 'joined' });
    expect(told).toEqual(['back', 'changed']);
    expect(membership.failures).toBeGreaterThan(10);
  });

  test('forgets nodes during an outage as their leases run out, and is told when it is over', async () => {
    const a = memberOf('a');
    const b = memberOf('b');
    await b.membership.start();
    await a.membership.start();
    registry.isAway = true;
    await pass(NODE_LEASE_MS - BEAT_MS);
    expect(ids(a.membership)).toEqual(['b']);
    await pass(BEAT_MS * 1.1);
    expect(ids(a.membership)).toEqual([]);
    registry.isAway = false;
    await pass(BEAT_RETRY_MS * 1.1);
    expect(a.told).toContain('back');
    await pass(BEAT_MS * 1.1);
    expect(ids(a.membership)).toEqual(['b']);
  });

  test('takes registry time from the registry, else from its peers, else from the wall clock', () => {
    const times: (number | undefined)[] = [3, undefined, undefined];
    const peers: (number | undefined)[] = [2, undefined];
    const membership = new Membership(ownerOf('a'), {
      ...{ clock, log, random: () => 0.5 },
      registry: { beat: registry.beat, leave: registry.leave, registryWallMs: () => times.shift() },
      record: () => nodeRecordOf(ownerOf('a')),
      peersRegistryWallMs: () => peers.shift(),
      ...{ changed: () => {}, wiped: () => {}, back: () => {}, taken: () => {} },
    });
    expect([1, 2, 3].map(() => membership.registryWallMs())).toEqual([3, 2, clock.wallMs()]);
  });
});

describe('a node id in use', () => {
  const TAKEN = 'registry.node-id-taken';

  test('is had after a lease, if the process that had it is dead', async () => {
    await registry.beat(nodeRecordOf(ownerOf('a', 1)));
    const { membership, told } = memberOf('a', 2);
    const started = membership.start();
    await pass(NODE_LEASE_MS - 100);
    expect(membership.state).toEqual({ at: 'waiting' });
    await pass(300);
    await started;
    expect(membership.state).toEqual({ at: 'joined' });
    expect(told).toEqual(['changed']);
  });

  test('is refused after a lease, if the process that has it beats', async () => {
    const first = memberOf('a', 1);
    await first.membership.start();
    const second = memberOf('a', 2);
    const started = second.membership.start().catch((error: unknown) => error);
    await pass(NODE_LEASE_MS + 300);
    expect(await started).toMatchObject({ code: TAKEN });
    expect(second.membership.state).toMatchObject({ at: 'refused', why: { code: TAKEN } });
    const { beats } = second.membership;
    await pass(5000);
    expect(second.membership.beats).toBe(beats);
    await second.membership.leave();
    expect(await registry.nodes(), 'the one that has it stays').toHaveLength(1);
    expect(second.told, 'the start told').toEqual([]);
  });

  test('that was lost in an outage is waited for as long, then given up', async () => {
    const { membership, told } = memberOf('a', 1);
    await membership.start();
    registry.isAway = true;
    await pass(NODE_LEASE_MS * 2);
    registry.isAway = false;
    const other = memberOf('a', 2);
    await other.membership.start();
    await pass(BEAT_RETRY_MS * 1.1);
    expect(membership.state).toMatchObject({ at: 'waiting' });
    expect(told).not.toContain(TAKEN);
    await pass(NODE_LEASE_MS + 300);
    expect(told).toContain(TAKEN);
    expect(membership.state).toMatchObject({ at: 'refused' });
    await pass(5000);
    expect(told.filter((what) => what === TAKEN)).toHaveLength(1);
    expect(other.membership.state).toEqual({ at: 'joined' });
  });

  test('is waited for no longer by a node that stops', async () => {
    await registry.beat(nodeRecordOf(ownerOf('a', 1)));
    const { membership } = memberOf('a', 2);
    const started = membership.start();
    await settle();
    await membership.leave();
    await started;
    expect(clock.timerCount).toBe(0);
  });
});
