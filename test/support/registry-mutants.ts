// Registries that are wrong in one way each, for the test of the registry's model test. They exist only here: as rules
// put in place of the memory driver's, and as patches of the Lua text that the Redis driver sends.
import { nextEpoch } from '../../src/registry/epoch.ts';
import {
  type OriginRules,
  type OriginSlot,
  originRules,
  type Verdict,
} from '../../src/registry/origin-rules.ts';
import type { ScriptName } from '../../src/registry/redis-scripts.ts';

export interface Mutant {
  readonly name: string;
  readonly rules: OriginRules;
  readonly lua: { readonly script: ScriptName; readonly from: string; readonly to: string };
}

const { claim, renew, release } = originRules;
const GRANT = 'math.max(counter, now - EPOCH_ZERO_MS) * TAGS + tonumber(ARGV[7])';
const OWN = 'local own = same and origin.boot == boot and not origin.released';
const ANYONE = 'local own = same and not origin.released';

/** A verdict over a slot that was shown `as` another: what it left alone stays as it was. */
function over<A>(slot: OriginSlot, as: OriginSlot, judge: (slot: OriginSlot) => Verdict<A>): Verdict<A> {
  const verdict = judge(as);
  return verdict.slot === as ? { ...verdict, slot } : verdict;
}

/** The rules, but a new epoch is made by `make`. */
function granting(make: (last: number, nowMs: number, tag: number) => number): OriginRules {
  return {
    ...originRules,
    claim: (slot, request, nowMs) => {
      const verdict = claim(slot, request, nowMs);
      const { entry } = verdict.slot;
      if (verdict.answer.is !== 'granted' || !entry || entry.epoch === slot.entry?.epoch) return verdict;
      const last = Math.max(slot.highest, slot.entry?.epoch ?? 0, request.minEpoch);
      const epoch = make(last, nowMs, request.tag);
      return { answer: { is: 'granted', epoch }, slot: { entry: { ...entry, epoch }, highest: epoch } };
    },
  };
}

export const mutants: readonly Mutant[] = [
  {
    name: 'renewal without owner check',
    rules: {
      ...originRules,
      renew: (slot, request, nowMs) => {
        const holder = slot.entry?.epoch === request.epoch ? slot.entry : request.owner;
        return renew(slot, { ...request, owner: { node: holder.node, boot: holder.boot } }, nowMs);
      },
    },
    lua: { script: 'renew', from: OWN, to: ANYONE },
  },
  {
    name: 'release without owner check',
    rules: {
      ...originRules,
      release: (slot, request, nowMs) => {
        const holder = slot.entry?.epoch === request.epoch ? slot.entry : request.owner;
        return release(slot, { ...request, owner: { node: holder.node, boot: holder.boot } }, nowMs);
      },
    },
    lua: { script: 'release', from: OWN, to: ANYONE },
  },
  {
    name: 'INCR without clock',
    rules: granting((last) => last + 1),
    lua: { script: 'claim', from: GRANT, to: 'last + 1' },
  },
  {
    name: 'INCR of the counter, with tag, without clock',
    rules: granting((last, _nowMs, tag) => (Math.floor(last / 4096) + 1) * 4096 + tag),
    lua: { script: 'claim', from: GRANT, to: 'counter * TAGS + tonumber(ARGV[7])' },
  },
  {
    name: 'clock without counter',
    rules: granting((_last, nowMs, tag) => nextEpoch(0, nowMs, tag)),
    lua: { script: 'claim', from: GRANT, to: '(now - EPOCH_ZERO_MS) * TAGS + tonumber(ARGV[7])' },
  },
  {
    name: 'renewal that ignores :e',
    rules: {
      ...originRules,
      renew: (slot, request, nowMs) =>
        over(slot, { ...slot, highest: 0 }, (shown) => renew(shown, request, nowMs)),
    },
    lua: { script: 'renew', from: 'local highest = read_highest(KEYS[2], now)', to: 'local highest = 0' },
  },
  {
    name: 'release without tombstone',
    rules: {
      ...originRules,
      release: (slot, request, nowMs) => {
        const { answer, slot: after } = release(slot, request, nowMs);
        return { answer, slot: after === slot ? slot : { ...after, entry: undefined } };
      },
    },
    lua: {
      script: 'release',
      from: 'write_origin(KEYS[1], grave, now, tonumber(ARGV[4]))',
      to: "redis.call('DEL', KEYS[1])",
    },
  },
  {
    name: 'claim that ignores the minimum',
    rules: {
      ...originRules,
      claim: (slot, request, nowMs) => claim(slot, { ...request, minEpoch: 0 }, nowMs),
    },
    lua: { script: 'claim', from: 'local minimum = whole(ARGV[6])', to: 'local minimum = 0' },
  },
  {
    name: 'provisional renewal that displaces a claim',
    rules: {
      ...originRules,
      renew: (slot, request, nowMs) => renew(slot, { ...request, standing: 'granted' }, nowMs),
    },
    lua: { script: 'renew', from: "ARGV[7] == 'provisional'", to: 'false' },
  },
  {
    name: 'heal that a lower record prevents',
    rules: {
      ...originRules,
      renew: (slot, request, nowMs) => {
        const isLower = slot.entry && slot.entry.epoch < request.epoch && slot.entry.expiresWallMs > nowMs;
        const shown = isLower ? { ...slot, highest: 2 ** 53 } : slot;
        return over(slot, shown, (as) => renew(as, request, nowMs));
      },
    },
    lua: {
      script: 'renew',
      from: 'if passed or taken or unwanted then',
      to: 'if passed or taken or unwanted or (stands and not same) then',
    },
  },
];
