// What nodes ask each other for the API: the kinds of questions, what each takes, and the rows that one node answers. What
// comes from another node is held against these forms. Pure.
import { z } from 'zod';
import { alarmRow, eventRow } from './alarms.ts';
import { count, ms, nodeId, sessionId, streamKey } from './common.ts';
import { decisionRow } from './decisions.ts';
import { nodeLink } from './nodes.ts';
import { history } from './quality.ts';
import { sessionRow } from './sessions.ts';
import { nodeStream, streamHere } from './streams.ts';
import { trafficRow } from './traffic.ts';

/** Rows of one node's answer; more are counted and left out. */
export const MAX_ROWS = 10_000;
const limit = z.int().min(1).max(MAX_ROWS);

export const questions = {
  /** All streams of the node, in short. */
  streams: { args: z.strictObject({}), row: nodeStream },
  /** All about one stream; no row from a node that lacks it. */
  stream: { args: z.strictObject({ key: streamKey }), row: streamHere },
  /** The recent past of some streams; no row for one that the node lacks. */
  history: {
    args: z.strictObject({ keys: z.array(streamKey).max(200) }),
    row: history.extend({ key: streamKey, node: nodeId }),
  },
  sessions: {
    args: z.strictObject({
      stream: streamKey.optional(),
      id: sessionId.optional(),
      kind: z.enum(['publisher', 'player']).optional(),
      state: z.enum(['open', 'ended']).optional(),
      limit,
    }),
    row: sessionRow,
  },
  /** Ends a session; the row of it as it was, or none if it is not there. */
  kick: { args: z.strictObject({ id: sessionId }), row: sessionRow },
  links: { args: z.strictObject({}), row: nodeLink },
  /** `withinMs`: only those that last, and those that ended within so long. */
  alarms: {
    args: z.strictObject({ stream: streamKey.optional(), withinMs: ms.optional(), limit }),
    row: alarmRow,
  },
  /** Newest first; `after`: only those with a higher id; `withinMs`: only those of the last so many ms. */
  events: {
    args: z.strictObject({
      stream: streamKey.optional(),
      after: count.optional(),
      withinMs: ms.optional(),
      limit,
    }),
    row: eventRow,
  },
  decisions: { args: z.strictObject({ stream: streamKey.optional(), limit }), row: decisionRow },
  traffic: { args: z.strictObject({ stream: streamKey.optional(), limit }), row: trafficRow },
} as const;

export type QuestionKind = keyof typeof questions;
export type QuestionArgs<K extends QuestionKind> = z.output<(typeof questions)[K]['args']>;
export type QuestionRow<K extends QuestionKind> = z.output<(typeof questions)[K]['row']>;

/** What one node knows. */
export interface NodeAnswer<K extends QuestionKind> {
  /** Rows that there are, those over the limit among them. */
  readonly total: number;
  readonly rows: Iterable<QuestionRow<K>>;
}

/** For whom a question is, for the log. */
export interface Asker {
  /** Id of the request to the API. */
  readonly request: string;
}

/** How a node answers each kind; at once, and from its own memory. */
export type NodeAnswers = {
  readonly [K in QuestionKind]: (args: QuestionArgs<K>, asker: Asker) => NodeAnswer<K>;
};
