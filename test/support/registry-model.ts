// Random histories of one stream's claims, and what must hold at each step of them (design §5). The model does not
// know the rules by which a registry judges; it looks before and after each call, and remembers what it was told.
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { parseStreamKey } from '../../src/base/stream-key.ts';
import { epochStartWallMs, isPlausibleEpoch, nextEpoch } from '../../src/registry/epoch.ts';
import {
  CLAIM_LEASE_MS,
  type Lookup,
  type Owner,
  REPLICA_LEASE_MS,
  type Registry,
  TOMBSTONE_MS,
} from '../../src/registry/registry.ts';
import { nodeRecordOf, ownerOf, type TestRegistry } from './registries.ts';

const KEY = parseStreamKey('live', 'show');
const NODES = ['a', 'b', 'c'];
/** Between the renewals of a claim. */
const RENEW_MS = 3_000;

type Op =
  /** `again`: by the publisher of the node's last claim. `unheard`: the answer gets lost, the claim does not. */
  | { op: 'claim'; node: number; mode: 'takeover' | 'reject'; again: boolean; unheard: boolean }
  /** The registry is away for this node, so it makes an epoch itself. */
  | { op: 'go alone'; node: number }
  /** `which`: its own claim, or the epoch that was given out so many times ago, to whomever. */
  | { op: 'renew'; node: number; which: 'own' | number; state: 'live' | 'held' }
  /** `late`: a renewal that was on its way arrives after it. */
  | { op: 'release'; node: number; which: 'own' | number; late: boolean }
  | { op: 'put replica'; node: number }
  | { op: 'crash'; node: number }
  | { op: 'tick'; ms: number }
  | { op: 'wipe' | 'drop the record' | 'snapshot' | 'rollback' };

const node = fc.integer({ min: 0, max: NODES.length - 1 });
const which = fc.oneof(
  { weight: 3, arbitrary: fc.constant('own' as const) },
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 5 }) },
);
const often = (weight: number, arbitrary: fc.Arbitrary<Op>) => ({ weight, arbitrary });

/** One history. */
export const histories: fc.Arbitrary<Op[]> = fc.array(
  fc.oneof(
    often(
      6,
      fc.record({
        op: fc.constant('claim' as const),
        node,
        mode: fc.constantFrom('takeover' as const, 'takeover' as const, 'reject' as const),
        again: fc.boolean(),
        unheard: fc.constantFrom(false, false, false, true),
      }),
    ),
    often(1, fc.record({ op: fc.constant('go alone' as const), node })),
    often(
      6,
      fc.record({ op: fc.constant('renew' as const), node, which, state: fc.constantFrom('live', 'held') }),
    ),
    often(2, fc.record({ op: fc.constant('release' as const), node, which, late: fc.boolean() })),
    often(1, fc.record({ op: fc.constant('put replica' as const), node })),
    often(1, fc.record({ op: fc.constant('crash' as const), node })),
    often(
      4,
      fc.record({
        op: fc.constant('tick' as const),
        ms: fc.constantFrom(1, 700, RENEW_MS, CLAIM_LEASE_MS, TOMBSTONE_MS - 1, TOMBSTONE_MS, 86_400_000),
      }),
    ),
    often(
      2,
      fc.record({
        op: fc.constantFrom(
          'wipe' as const,
          'drop the record' as const,
          'snapshot' as const,
          'rollback' as const,
        ),
      }),
    ),
  ),
  { minLength: 1, maxLength: 40, size: 'max' },
);

/** A node's process, and what it believes. */
interface Process {
  readonly owner: Owner;
  readonly tag: number;
  minEpoch: number;
  publishers: number;
  claim: { epoch: number; publisher: string; standing: 'granted' | 'provisional' } | undefined;
}

/** Who an epoch was given to. */
interface Given {
  readonly epoch: number;
  readonly boot: string;
  readonly publisher: string;
  /** Given by the node to itself. */
  readonly alone: boolean;
  /** The answer got lost: nobody ever used it. */
  readonly unheard: boolean;
}

/**
 * Plays a history against an emptied registry and checks every step and the end.
 * @param other another client of the same registry
 * @throws Error that names the invariant which broke
 */
export async function playHistory(stage: TestRegistry, other: Registry, ops: readonly Op[]): Promise<void> {
  await stage.wipe();
  await stage.snapshot();
  const world = new World(stage, other);
  for (const op of ops) await world.play(op);
  await world.calmDown();
}

class World {
  readonly #stage: TestRegistry;
  readonly #registry: Registry;
  readonly #other: Registry;
  readonly #processes: Process[];
  #boots = 0;
  /** Every epoch that was given out, newest first. */
  #given: Given[] = [];
  /** When an epoch was last granted or renewed; a replica put. */
  readonly #touchedMs = new Map<number, number>();
  readonly #putMs = new Map<string, number>();
  /** Released epochs that the registry still has to know of, and until when. */
  #graves = new Map<number, number>();
  #savedGraves = new Map<number, number>();

  constructor(stage: TestRegistry, other: Registry) {
    this.#stage = stage;
    this.#registry = stage.registry;
    this.#other = other;
    this.#processes = NODES.map((name) => this.#boot(name));
  }

  async play(op: Op): Promise<void> {
    switch (op.op) {
      case 'claim':
        return this.#claim(this.#process(op.node), op);
      case 'go alone':
        return this.#goAlone(this.#process(op.node));
      case 'renew':
        return this.#renew(this.#process(op.node), op.which, op.state);
      case 'release':
        return this.#release(this.#process(op.node), op.which, op.late);
      case 'put replica':
        return this.#putReplica(this.#process(op.node));
      case 'crash':
        this.#processes[op.node] = this.#boot(NODES[op.node] ?? '');
        return;
      case 'tick':
        await this.#stage.tick(op.ms);
        return this.#look().then(() => {});
      case 'wipe':
        this.#graves.clear();
        return this.#stage.wipe();
      case 'drop the record':
        this.#graves.clear();
        return this.#stage.dropOrigin(KEY);
      case 'snapshot':
        this.#savedGraves = new Map(this.#graves);
        return this.#stage.snapshot();
      case 'rollback':
        this.#graves = new Map(this.#savedGraves);
        return this.#stage.rollback();
    }
  }

  /** Faults stop. Two renewals later exactly one claimant remains, lookups agree, and players accept its frames. */
  async calmDown(): Promise<void> {
    const before = await this.#look();
    const known = Math.max(before.highestEpoch, before.origin?.epoch ?? 0);
    const best = this.#processes.find(
      ({ claim }) => claim && claim.standing === 'granted' && claim.epoch >= known,
    );
    // Whoever believes in an epoch has players who saw it.
    const seen = Math.max(0, ...this.#processes.map(({ claim }) => claim?.epoch ?? 0));
    for (let round = 0; round < 2; round += 1) {
      await this.#stage.tick(RENEW_MS);
      for (const process of this.#processes) await this.#renew(process, 'own', 'live');
    }
    const claimants = this.#processes.filter(({ claim }) => claim !== undefined);
    check('two renewals after the faults there is at most one claimant', claimants.length <= 1);
    check('a claimant of the highest epoch outlives all faults', !best || claimants.length === 1);
    const [last] = claimants;
    if (!last?.claim) return;
    if (last.claim.epoch < seen) {
      // A peer says FENCED, with the epoch that its players saw: the origin claims again, above it.
      last.minEpoch = Math.max(last.minEpoch, seen);
      await this.#claim(last, { mode: 'takeover', again: true, unheard: false });
      check('after FENCED the origin is above what players saw', last.claim.epoch > seen);
    }
    for (const client of [this.#registry, this.#other]) {
      const { origin } = await client.lookup(KEY);
      check('lookups agree', origin?.epoch === last.claim.epoch && origin.boot === last.owner.boot);
    }
  }

  async #claim(process: Process, how: Omit<Op & { op: 'claim' }, 'op' | 'node'>): Promise<void> {
    if (!how.again) process.publishers += 1;
    const publisher = `${process.owner.node}-${process.publishers}`;
    const { owner, tag, minEpoch } = process;
    const before = await this.#look();
    const answer = await this.#registry.claim({
      ...{ key: KEY, owner, publisher, reason: 'publish', mode: how.mode, minEpoch, tag },
    });
    if (answer.is === 'granted') this.#touchedMs.set(answer.epoch, this.#stage.nowWallMs());
    const after = await this.#look();
    const stood = before.origin;
    const isSame =
      stood?.boot === owner.boot &&
      stood.publisher === publisher &&
      stood.epoch > minEpoch &&
      stood.epoch >= before.highestEpoch;
    if (answer.is === 'taken') {
      const isElsewhere = stood?.state === 'live' && stood.node !== owner.node;
      check('only mode reject is refused, for another node', how.mode === 'reject' && isElsewhere);
      check('a refusal changes nothing', isDeepStrictEqual(before, after));
      return;
    }
    const { epoch } = answer;
    const nowMs = this.#stage.nowWallMs();
    check('a claim asked again has the same epoch', !isSame || epoch === stood.epoch);
    if (!isSame) {
      const isRefused = how.mode === 'reject' && stood?.state === 'live' && stood.node !== owner.node;
      check('mode reject leaves a live origin alone', !isRefused);
      const twice = this.#given.some(
        // A grant that its own process did not hear of, in data that was lost since, was none.
        (given) => given.epoch === epoch && !(given.unheard && given.boot === owner.boot),
      );
      check('an epoch is granted at most once', !twice);
      const known = Math.max(before.highestEpoch, stood?.epoch ?? 0, minEpoch);
      check('a grant is above all that is known', epoch > known);
      const ever = Math.max(0, ...this.#given.map((given) => given.epoch));
      check('no data loss brings a lower epoch', epoch > ever || epochStartWallMs(ever) >= nowMs);
      check('a grant is plausible', isPlausibleEpoch(epoch, nowMs));
      this.#given.unshift({ epoch, boot: owner.boot, publisher, alone: false, unheard: how.unheard });
    }
    this.#checkHeld(after, epoch, owner);
    if (how.unheard) return;
    process.minEpoch = Math.max(process.minEpoch, epoch);
    process.claim = { epoch, publisher, standing: 'granted' };
  }

  #goAlone(process: Process): Promise<void> {
    process.publishers += 1;
    const epoch = nextEpoch(process.minEpoch, this.#stage.nowWallMs(), process.tag);
    const publisher = `${process.owner.node}-${process.publishers}`;
    process.minEpoch = epoch;
    process.claim = { epoch, publisher, standing: 'provisional' };
    this.#given.unshift({ epoch, boot: process.owner.boot, publisher, alone: true, unheard: false });
    return Promise.resolve();
  }

  async #renew(process: Process, which: 'own' | number, state: 'live' | 'held'): Promise<void> {
    const before = await this.#look();
    const { owner, claim } = process;
    const given = this.#pick(process, which);
    if (!given) return;
    const { epoch, publisher } = given;
    const isOwn = given.boot === owner.boot;
    // Nobody renews what another process was given, unless by a mistake that the registry can see.
    if (!isOwn && before.origin?.epoch !== epoch) return;
    const standing = claim?.epoch === epoch ? claim.standing : given.alone ? 'provisional' : 'granted';
    const answer = await this.#registry.renew({
      ...{ key: KEY, owner, publisher, reason: 'publish', epoch, state, standing },
    });
    if (answer.is !== 'lost') this.#touchedMs.set(epoch, this.#stage.nowWallMs());
    const after = await this.#look();
    if (answer.is === 'lost') {
      check('a stale renewal changes nothing', isDeepStrictEqual(before, after));
      check('who lost is told who has it', isDeepStrictEqual(answer.by, before.origin));
      check('an owner heals what the registry lost', !isOwn || this.#isStale(before, epoch, owner, standing));
      process.minEpoch = Math.max(process.minEpoch, answer.highestEpoch);
      if (claim?.epoch === epoch && isOwn) process.claim = undefined;
      return;
    }
    check('a stale renewal is lost', isOwn && !this.#isStale(before, epoch, owner, standing));
    check('ok or healed', answer.is === (before.origin?.epoch === epoch ? 'ok' : 'healed'));
    this.#checkHeld(after, epoch, owner);
    check('the state is told', after.origin?.state === state);
    if (claim?.epoch === epoch) process.claim = { ...claim, standing: 'granted' };
  }

  async #release(process: Process, which: 'own' | number, late: boolean): Promise<void> {
    const before = await this.#look();
    const { owner, claim } = process;
    const given = this.#pick(process, which);
    if (!given) return;
    const { epoch } = given;
    const isOwn = given.boot === owner.boot;
    if (!isOwn && before.origin?.epoch !== epoch) return;
    const answer = await this.#registry.release({ key: KEY, owner, epoch });
    const after = await this.#look();
    if (isOwn && claim?.epoch === epoch) process.claim = undefined;
    if (answer === 'lost') {
      check('a stale release changes nothing', isDeepStrictEqual(before, after));
      check('an owner can release', before.origin?.epoch !== epoch || !isOwn);
      return;
    }
    const passed = Math.max(before.highestEpoch, before.origin?.epoch ?? 0) > epoch;
    check('a stale release is lost', isOwn && !passed && !this.#isGrave(epoch));
    check('what is released is free', after.origin === undefined && after.highestEpoch === epoch);
    this.#graves.set(epoch, this.#stage.nowWallMs() + TOMBSTONE_MS);
    if (late)
      await this.#renew(
        process,
        this.#given.findIndex((one) => one.epoch === epoch),
        'live',
      );
  }

  async #putReplica({ owner }: Process): Promise<void> {
    const [newest] = this.#given;
    if (!newest) return;
    // An earlier boot may beat yet: then this one is not there.
    await this.#registry.beat(nodeRecordOf(owner));
    await this.#registry.putReplica(KEY, { ...owner, epoch: newest.epoch, hops: 1, upstream: 'a' });
    this.#putMs.set(owner.node, this.#stage.nowWallMs());
  }

  /** Looks the stream up, and checks that nothing is found that expired. */
  async #look(): Promise<Lookup> {
    const found = await this.#registry.lookup(KEY);
    const nowMs = this.#stage.nowWallMs();
    if (found.origin) {
      const { epoch, leaseMs } = found.origin;
      const touchedMs = this.#touchedMs.get(epoch);
      const isAlive = leaseMs > 0 && leaseMs <= CLAIM_LEASE_MS;
      check(
        'an expired origin is never returned',
        isAlive && (touchedMs === undefined || nowMs < touchedMs + CLAIM_LEASE_MS),
      );
    }
    for (const { node: name, leaseMs } of found.replicas) {
      const isAlive = leaseMs > 0 && nowMs < (this.#putMs.get(name) ?? 0) + REPLICA_LEASE_MS;
      check('an expired replica is never returned', isAlive);
    }
    return found;
  }

  #checkHeld({ origin, highestEpoch }: Lookup, epoch: number, owner: Owner): void {
    const isHeld = origin?.epoch === epoch && origin.boot === owner.boot && origin.leaseMs === CLAIM_LEASE_MS;
    check('a claim that stands is found, for a lease', isHeld && highestEpoch === epoch);
  }

  /** Must a renewal by the one whom the epoch was given to be refused, by what everybody can see? */
  #isStale(before: Lookup, epoch: number, owner: Owner, standing: 'granted' | 'provisional'): boolean {
    const { origin, highestEpoch } = before;
    if (Math.max(highestEpoch, origin?.epoch ?? 0) > epoch || this.#isGrave(epoch)) return true;
    return standing === 'provisional' && origin?.state === 'live' && origin.boot !== owner.boot;
  }

  #isGrave(epoch: number): boolean {
    return (this.#graves.get(epoch) ?? 0) > this.#stage.nowWallMs();
  }

  #pick({ owner, claim }: Process, which: 'own' | number): Given | undefined {
    if (which !== 'own') return this.#given[which];
    return claim && { ...claim, boot: owner.boot, alone: claim.standing === 'provisional', unheard: false };
  }

  #process(at: number): Process {
    const process = this.#processes[at];
    if (!process) throw new Error(`there is no node ${at}`);
    return process;
  }

  /** Tags are drawn at random; here no two boots have the same. */
  #boot(name: string): Process {
    const life = this.#boots;
    this.#boots += 1;
    const tag = (life * 1597 + 11) % 4096;
    return { owner: ownerOf(name, life), tag, minEpoch: 0, publishers: 0, claim: undefined };
  }
}

function check(invariant: string, holds: boolean): void {
  if (!holds) throw new Error(`broken: ${invariant}`);
}
