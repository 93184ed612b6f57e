// What records look like, and the reading of them. Whatever a registry holds is hostile input: others can write to it.
// What is not valid, not bounded or not plausible reads as undefined, never as something mended.
import { z } from 'zod';
import { isLabel } from '../base/label.ts';
import { parseStreamKey, type StreamKey } from '../base/stream-key.ts';
import { isPlausibleEpoch } from './epoch.ts';
import type { BackupRecord, Hint, NodeRecord, OriginRecord, ReplicaRecord } from './registry.ts';

/** Nodes in one answer. */
export const MAX_NODES = 1_024;
/** Replicas in one answer. */
export const MAX_REPLICAS = 1_024;
export const MAX_NODE_RECORD_BYTES = 4_096;
/** Regions that one node tells its round trips to. */
export const MAX_RTT_REGIONS = 32;
const MAX_TAGS = 16;
/** Links between a replica and its origin that a record may claim. */
const MAX_RECORD_HOPS = 16;

const NODE = /^[A-Za-z0-9_.-]{1,64}$/;
const BOOT = /^[0-9a-f]{16}$/;
const PUBLISHER = /^[\x20-\x7e]{1,128}$/;
const WHOLE = /^\d{1,16}$/;
/** A host name, an IPv4 address or an IPv6 address in brackets, and a port. */
const HOST_AND_PORT = '(\\[[0-9a-fA-F:.]{2,45}\\]|[A-Za-z0-9_.-]{1,253}):\\d{1,5}$';
const ADDRESS = new RegExp(`^${HOST_AND_PORT}`);
const MAX_KEY_CHARS = 129;

const label = z.string().refine((text) => text === '' || isLabel(text));
const amount = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const doorAddress = (scheme: string) =>
  z.union([z.literal(''), z.string().regex(new RegExp(`^(${scheme}://)?${HOST_AND_PORT}`))]);
const shareOfOne = z.number().min(0).max(1);
/**
 * Fields that a newer version added are left out, and those that an older one lacks have a default, so that a cluster can
 * be upgraded node by node.
 */
const nodeRecord = z.object({
  node: z.string().regex(NODE),
  boot: z.string().regex(BOOT),
  host: label,
  version: label,
  mesh: z.array(z.string().regex(ADDRESS)).max(8),
  rtmp: doorAddress('rtmps'),
  http: doorAddress('https'),
  rtmpInternal: z._default(doorAddress('rtmps'), ''),
  httpInternal: z._default(doorAddress('https'), ''),
  region: label,
  zone: label,
  tags: z._default(z.array(label).max(MAX_TAGS), []),
  draining: z.boolean(),
  load: z.object({
    cpu: shareOfOne,
    memory: shareOfOne,
    loopBusy: z._default(shareOfOne, 0),
    loopLagMs: amount,
    sentBytesPerS: amount,
    receivedBytesPerS: z._default(amount, 0),
    capacityBytesPerS: amount,
    players: amount,
    publishers: z._default(amount, 0),
    streams: amount,
    alarms: z._default(amount, 0),
  }),
  rttMs: z._default(
    z.record(label, amount).refine((regions) => Object.keys(regions).length <= MAX_RTT_REGIONS),
    {},
  ),
});

/** Text fields as a driver read them, before anybody believed them. */
export type RawRecord<K extends string> = Readonly<Record<K, unknown>>;

export function readOrigin(
  raw: RawRecord<keyof OriginRecord>,
  registryWallMs: number,
): OriginRecord | undefined {
  const node = matching(raw.node, NODE);
  const boot = matching(raw.boot, BOOT);
  const epoch = readEpoch(raw.epoch, registryWallMs);
  const publisher = matching(raw.publisher, PUBLISHER);
  const reason = oneOf(raw.reason, 'publish', 'failover');
  const state = oneOf(raw.state, 'live', 'held');
  const sinceWallMs = readWhole(raw.sinceWallMs);
  const leaseMs = readWhole(raw.leaseMs);
  if (!(node && boot && epoch && publisher && reason && state && sinceWallMs !== undefined && leaseMs)) {
    return undefined;
  }
  return { node, boot, epoch, publisher, reason, state, sinceWallMs, leaseMs };
}

export function readReplica(
  raw: RawRecord<keyof ReplicaRecord>,
  registryWallMs: number,
): ReplicaRecord | undefined {
  const node = matching(raw.node, NODE);
  const boot = matching(raw.boot, BOOT);
  const epoch = readEpoch(raw.epoch, registryWallMs);
  const hops = readWhole(raw.hops);
  const upstream = matching(raw.upstream, NODE);
  const leaseMs = readWhole(raw.leaseMs);
  if (!(node && boot && epoch && hops && hops <= MAX_RECORD_HOPS && upstream && leaseMs)) return undefined;
  return { node, boot, epoch, hops, upstream, leaseMs };
}

export function readBackup(raw: RawRecord<keyof BackupRecord>): BackupRecord | undefined {
  const node = matching(raw.node, NODE);
  const boot = matching(raw.boot, BOOT);
  const publisher = matching(raw.publisher, PUBLISHER);
  const leaseMs = readWhole(raw.leaseMs);
  return node && boot && publisher && leaseMs ? { node, boot, publisher, leaseMs } : undefined;
}

/** @param id the node that the record was found under; it must say the same */
export function readNode(id: unknown, json: unknown): NodeRecord | undefined {
  if (typeof json !== 'string' || json.length > MAX_NODE_RECORD_BYTES) return undefined;
  const read = nodeRecord.safeParse(parseJson(json));
  return read.success && read.data.node === id ? read.data : undefined;
}

/** `<is> <epoch> <node> <key>`, as the scripts publish it. */
export function readHint(text: string, registryWallMs: number): Hint | undefined {
  if (text.length > 512) return undefined;
  const [is, epoch, node, key, ...rest] = text.split(' ');
  const hint = {
    is: oneOf(is, 'claimed', 'released'),
    epoch: readEpoch(epoch, registryWallMs),
    node: matching(node, NODE),
    key: readStreamKey(key),
  };
  if (rest.length > 0 || !hint.is || !hint.epoch || !hint.node || !hint.key) return undefined;
  return { is: hint.is, epoch: hint.epoch, node: hint.node, key: hint.key };
}

/** A stream key out of a registry. */
export function readStreamKey(text: unknown): StreamKey | undefined {
  if (typeof text !== 'string' || text.length > MAX_KEY_CHARS) return undefined;
  const [app = '', name = '', ...rest] = text.split('/');
  if (rest.length > 0) return undefined;
  try {
    return parseStreamKey(app, name);
  } catch {
    return undefined;
  }
}

/** The generation, or the boot of a node: 16 hex digits. */
export function readToken(text: unknown): string | undefined {
  return matching(text, BOOT);
}

/** Digits as a number; undefined for anything else, and beyond 2^53. */
export function readWhole(value: unknown): number | undefined {
  const digits = matching(value, WHOLE);
  const number = Number(digits);
  return digits !== undefined && Number.isSafeInteger(number) ? number : undefined;
}

/** An epoch; undefined if registry time makes it impossible. */
export function readEpoch(value: unknown, registryWallMs: number): number | undefined {
  const epoch = readWhole(value);
  return epoch !== undefined && isPlausibleEpoch(epoch, registryWallMs) ? epoch : undefined;
}

function matching(value: unknown, pattern: RegExp): string | undefined {
  return typeof value === 'string' && pattern.test(value) ? value : undefined;
}

function oneOf<const T extends string>(value: unknown, ...words: T[]): T | undefined {
  return words.find((word) => word === value);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
