// What a listener of `/api/v1/events` is told (Server-Sent Events, HTML §9.2): the names of the events and their data. Pure.
import { z } from 'zod';
import { alarmRow, eventRow } from './alarms.ts';
import { nodeId, time } from './common.ts';
import { nodeRow, statusAnswer } from './nodes.ts';
import { treeAnswer } from './streams.ts';

/** What can be listened to with `topics=`; `stream=app/name` adds the tree of one stream. */
export const topic = z.enum(['status', 'nodes', 'alarms', 'events']);

export const liveEvents = {
  /** First of all. */
  hello: z.object({ node: nodeId, version: z.string(), asOf: time }),
  /** Each second. */
  status: statusAnswer,
  /** Each second, if there is one: nodes that are new or have changed, and those that are gone; at first all. */
  nodes: z.object({ asOf: time, changed: z.array(nodeRow), gone: z.array(nodeId) }),
  /** Each second, of the stream that was named; null: nobody has it. */
  stream: treeAnswer.nullable(),
  /** An alarm of any node as it is raised, and as it ends; at first all that last. */
  alarm: alarmRow,
  /** A line of the log of any node, from now on. */
  event: eventRow,
} as const;

export type LiveName = keyof typeof liveEvents;
export type LiveData<K extends LiveName> = z.output<(typeof liveEvents)[K]>;
