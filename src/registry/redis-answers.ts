// What the scripts answer, read into records: pure. Answers are lists of text; records in them that are not valid are
// left out, an answer that is no answer is an error.
import { messageOf, TidewayError } from '../base/errors.ts';
import { readBackup, readNode, readOrigin, readReplica, readWhole } from './records.ts';
import {
  type BackupRecord,
  NODE_LEASE_MS,
  type NodeSeen,
  type OriginRecord,
  type ReplicaRecord,
} from './registry.ts';

/** Error replies of a server that will do better in a moment, or that is no longer the one to ask. */
const PASSING = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|BUSY|NOREPLICAS|UNBLOCKED)\b/;
const MAX_MESSAGE_CHARS = 200;

/**
 * What went wrong between us and Redis, as one of our own errors.
 * @param connection the last error of the connection itself
 */
export function registryError(cause: unknown, connection: string): TidewayError {
  if (cause instanceof TidewayError) return cause;
  const message = messageOf(cause).slice(0, MAX_MESSAGE_CHARS);
  if (cause instanceof Error && cause.name === 'ReplyError' && !PASSING.test(message)) {
    return new TidewayError('registry.refused', `Redis refused: ${message}`, {}, { cause });
  }
  const isOffline = /enableOfflineQueue/.test(message);
  const why = isOffline ? `no connection: ${connection.slice(0, MAX_MESSAGE_CHARS)}` : message;
  return new TidewayError('registry.unavailable', `Redis is not there: ${why}`, {}, { cause });
}

export function badAnswer(call: string): TidewayError {
  return new TidewayError('registry.answer', `Redis gave no valid answer to "${call}"`, { call });
}

/** Registry time, which every answer starts with, and the rest. */
export function readAnswer(call: string, answer: unknown): { nowMs: number; rest: readonly unknown[] } {
  const [now, ...rest] = listOf(answer);
  const nowMs = readWhole(now);
  if (nowMs === undefined) throw badAnswer(call);
  return { nowMs, rest };
}

/** The origin that `print_origin` of lua/common.lua printed. */
export function originOf(row: unknown, registryWallMs: number): OriginRecord | undefined {
  const [epoch, node, boot, publisher, reason, state, sinceWallMs, leaseMs] = listOf(row);
  return readOrigin({ epoch, node, boot, publisher, reason, state, sinceWallMs, leaseMs }, registryWallMs);
}

export function replicasOf(row: unknown, registryWallMs: number): ReplicaRecord[] {
  return groupsOf(row, 6).flatMap(
    ([node, boot, epoch, hops, upstream, leaseMs]) =>
      readReplica({ node, boot, epoch, hops, upstream, leaseMs }, registryWallMs) ?? [],
  );
}

export function backupOf(row: unknown): BackupRecord | undefined {
  const [node, boot, publisher, leaseMs] = listOf(row);
  return readBackup({ node, boot, publisher, leaseMs });
}

export function nodesOf(row: unknown): NodeSeen[] {
  return groupsOf(row, 3).flatMap(([id, json, lease]) => {
    const record = readNode(id, json);
    const leaseMs = readWhole(lease);
    return record && leaseMs && leaseMs <= NODE_LEASE_MS ? [{ record, leaseMs }] : [];
  });
}

/** A list, or an empty one in place of anything else. */
function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function groupsOf(row: unknown, size: number): (readonly unknown[])[] {
  const list = listOf(row);
  return Array.from({ length: Math.floor(list.length / size) }, (_, at) =>
    list.slice(at * size, (at + 1) * size),
  );
}
