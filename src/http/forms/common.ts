// Forms that answers of the API share. Each form is what an answer must be (tests hold routes to it), what the CLI and the
// dashboard take an answer for, and what the OpenAPI document says. Pure.
import { z } from 'zod';

export const nodeId = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'is 1 to 64 of A-Z a-z 0-9 _ . -')
  .meta({ description: 'Id of a node.' });
export const streamKey = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,64}\/[A-Za-z0-9_.-]{1,64}$/, 'is the key of a stream: app/name')
  .meta({ description: 'Key of a stream: app/name.', examples: ['live/demo'] });
export const sessionId = z
  .string()
  .regex(/^[a-z0-9]{4,32}$/, 'is 4 to 32 of a-z 0-9')
  .meta({ description: 'Id of a session: in the log of each node that it was at, and in lists.' });
export const time = z.iso.datetime().meta({ description: 'ISO 8601, UTC.' });
export const count = z.int().min(0);
/** 0 to 1. */
export const share = z.number().min(0).max(1);
export const ms = z.number().min(0);
/** A number that may be of another sign. */
export const signedMs = z.number();
export const bytes = z.number().min(0);
export const bytesPerS = z.number().min(0);
export const bitsPerS = z.number().min(0);
export const epoch = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/** A code and its sentence (docs/errors.md). */
export const reason = z.object({ code: z.string(), message: z.string() });

/** How an answer came about. */
export const envelope = z.object({
  node: nodeId.meta({ description: 'The node that answers.' }),
  registry: z.enum(['up', 'away']).meta({
    description: 'away: the registry does not answer, and what follows is what nodes themselves know.',
  }),
  asOf: time.meta({ description: 'When it was so, by the clock of the registry where that is known.' }),
});
export type Envelope = z.output<typeof envelope>;

/** A node of the cluster that is not in an answer. */
export const staleNode = z.object({
  node: nodeId,
  why: z.enum(['no-link', 'no-answer', 'failed']).meta({
    description:
      'no-link: there is no link to it; no-answer: it did not answer within 500 ms; failed: it could not.',
  }),
});
export type StaleNode = z.output<typeof staleNode>;

/** Of an answer that all nodes were asked for. */
export const clusterEnvelope = envelope.extend({
  stale: z.array(staleNode).meta({ description: 'Nodes that did not answer: what they know is missing.' }),
});

/** Of a list that may be cut. */
export const page = z.object({
  total: count.meta({ description: 'Rows that match, those left out among them.' }),
  truncated: z.boolean().meta({ description: 'There are more than were listed.' }),
});

/** What may be told, but not changed: answers are made of what others own. */
export type Told<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Told<Item>[]
    : { readonly [K in keyof T]: Told<T[K]> };
