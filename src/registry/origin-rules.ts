// What becomes of a stream's origin when it is claimed, renewed or released: pure. The memory driver's rules; the Redis
// driver's are lua/claim.lua, renew.lua and release.lua, word for word the same (design §5).
import { epochStartWallMs, isPlausibleEpoch, nextEpoch } from './epoch.ts';
import {
  CLAIM_LEASE_MS,
  type ClaimAnswer,
  type ClaimRequest,
  type OriginRecord,
  type Owner,
  type RenewAnswer,
  type RenewRequest,
  TOMBSTONE_MS,
} from './registry.ts';

/** A claim, or the tombstone of one that was released. */
export interface OriginEntry extends Omit<OriginRecord, 'leaseMs' | 'state'> {
  readonly state: OriginRecord['state'] | 'released';
  readonly expiresWallMs: number;
}

/** All that is kept of a stream's origin. Replaced, never changed. */
export interface OriginSlot {
  /** It may be expired. */
  readonly entry: OriginEntry | undefined;
  /** The highest epoch ever granted or healed; 0 if none. */
  readonly highest: number;
}

export interface Verdict<A> {
  readonly answer: A;
  /** The slot it was judged by, if nothing changes. */
  readonly slot: OriginSlot;
}

export interface OriginRules {
  claim(slot: OriginSlot, request: ClaimRequest, nowMs: number): Verdict<ClaimAnswer>;
  renew(slot: OriginSlot, request: RenewRequest, nowMs: number): Verdict<RenewAnswer>;
  release(slot: OriginSlot, claim: Owned, nowMs: number): Verdict<'released' | 'lost'>;
}

interface Owned {
  readonly owner: Owner;
  readonly epoch: number;
}

export const originRules: OriginRules = { claim, renew, release };

/** The record of an entry that stands: not expired, not released. */
export function standing(entry: OriginEntry | undefined, nowMs: number): OriginRecord | undefined {
  if (!entry || entry.state === 'released' || entry.expiresWallMs <= nowMs) return undefined;
  const { expiresWallMs, state, ...rest } = entry;
  return { ...rest, state, leaseMs: expiresWallMs - nowMs };
}

function claim(slot: OriginSlot, request: ClaimRequest, nowMs: number): Verdict<ClaimAnswer> {
  const { owner, mode } = request;
  const minEpoch = isPlausibleEpoch(request.minEpoch, nowMs) ? request.minEpoch : 0;
  const entry = known(slot.entry, nowMs);
  const stands = standing(entry, nowMs);
  if (stands && isSameClaim(stands, request) && stands.epoch >= slot.highest && stands.epoch > minEpoch) {
    const again = { entry: entryOf(request, stands.epoch, 'live', nowMs), highest: stands.epoch };
    return { answer: { is: 'granted', epoch: stands.epoch }, slot: again };
  }
  // Publishers of its own node are for the node to judge, and an earlier boot of it is gone.
  if (mode === 'reject' && stands?.state === 'live' && stands.node !== owner.node) {
    return { answer: { is: 'taken', by: stands }, slot };
  }
  const last = Math.max(slot.highest, entry?.epoch ?? 0, minEpoch);
  const epoch = nextEpoch(last, nowMs, request.tag);
  const granted = { entry: entryOf(request, epoch, 'live', nowMs), highest: epoch };
  return { answer: { is: 'granted', epoch }, slot: granted };
}

function renew(slot: OriginSlot, request: RenewRequest, nowMs: number): Verdict<RenewAnswer> {
  const { owner, epoch, state } = request;
  const entry = known(slot.entry, nowMs);
  const stands = standing(entry, nowMs);
  const isOwn = entry?.epoch === epoch && entry.boot === owner.boot && entry.state !== 'released';
  const isPassed = Math.max(slot.highest, entry?.epoch ?? 0) > epoch;
  const isTaken = entry?.epoch === epoch && !isOwn;
  // Players that wait are no publisher: a held claim gives way to whoever publishes.
  const isUnwanted =
    request.standing === 'provisional' && stands?.state === 'live' && stands.boot !== owner.boot;
  if (isPassed || isTaken || isUnwanted) {
    return { answer: { is: 'lost', by: stands, highestEpoch: slot.highest }, slot };
  }
  const renewed = { entry: entryOf(request, epoch, state, nowMs), highest: epoch };
  return { answer: { is: isOwn && stands ? 'ok' : 'healed' }, slot: renewed };
}

function release(slot: OriginSlot, { owner, epoch }: Owned, nowMs: number): Verdict<'released' | 'lost'> {
  const entry = known(slot.entry, nowMs);
  const isOwn = entry?.epoch === epoch && entry.boot === owner.boot && entry.state !== 'released';
  // Forgotten or expired, it may yet be healed by a renewal that is on its way.
  const isForgotten = entry?.epoch !== epoch && !standing(entry, nowMs);
  const isPassed = Math.max(slot.highest, entry?.epoch ?? 0) > epoch;
  if (isPassed || !(isOwn || isForgotten)) return { answer: 'lost', slot };
  const grave: OriginEntry = {
    ...entryOf({ owner, publisher: '-', reason: 'publish' }, epoch, 'live', nowMs),
    state: 'released',
    expiresWallMs: nowMs + TOMBSTONE_MS,
  };
  return { answer: 'released', slot: { entry: grave, highest: epoch } };
}

/** An old tombstone is as good as none. */
function known(entry: OriginEntry | undefined, nowMs: number): OriginEntry | undefined {
  return entry?.state === 'released' && entry.expiresWallMs <= nowMs ? undefined : entry;
}

function isSameClaim(stands: OriginRecord, { owner, publisher }: ClaimRequest): boolean {
  return stands.node === owner.node && stands.boot === owner.boot && stands.publisher === publisher;
}

function entryOf(
  claimed: Pick<ClaimRequest, 'owner' | 'publisher' | 'reason'>,
  epoch: number,
  state: OriginRecord['state'],
  nowMs: number,
): OriginEntry {
  const { owner, publisher, reason } = claimed;
  return {
    node: owner.node,
    boot: owner.boot,
    epoch,
    publisher,
    reason,
    state,
    sinceWallMs: epochStartWallMs(epoch),
    expiresWallMs: nowMs + CLAIM_LEASE_MS,
  };
}
