// Forms of `/api/v1/alarms` and `/api/v1/events`. Pure.
import { z } from 'zod';
import { ALARM_KINDS } from '../../observe/alarm-rules.ts';
import { clusterEnvelope, count, nodeId, page, streamKey, time } from './common.ts';

export const alarmRow = z.object({
  /** Unique within its node's process. */
  id: z.string(),
  kind: z.enum(ALARM_KINDS),
  /** The node that raised it. */
  node: nodeId,
  stream: streamKey,
  /** The hop that it is about; null: it is about the publisher, at the origin. */
  hop: z.object({ from: nodeId, to: nodeId }).nullable(),
  since: time,
  /** Null while it lasts. */
  until: time.nullable(),
  /** What was measured, and the bound that it is beyond. */
  value: z.number(),
  limit: z.number(),
  unit: z.enum(['ms', 'bit/s']),
  /** In one line, for people. */
  detail: z.string(),
});
export type AlarmRow = z.output<typeof alarmRow>;

export const alarmsAnswer = clusterEnvelope.extend(page.shape).extend({
  /** Those that last first, then those that ended, newest first. */
  alarms: z.array(alarmRow),
});
export type AlarmsAnswer = z.output<typeof alarmsAnswer>;

/** A line of a node's log, of those that tell what became of streams, publishers, nodes and links (docs/events.md). */
export const eventRow = z.object({
  /** Counts up within its node's process. */
  id: count,
  node: nodeId,
  time,
  level: z.enum(['info', 'warn', 'error']),
  event: z.string(),
  /** Null where it is about none. */
  stream: streamKey.nullable(),
  fields: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});
export type EventRow = z.output<typeof eventRow>;

export const eventsAnswer = clusterEnvelope.extend(page.shape).extend({
  /** Newest first. */
  events: z.array(eventRow),
});
export type EventsAnswer = z.output<typeof eventsAnswer>;
