// What two nodes say to each other beside media (design §6): the messages, and what of them is believed. Pure: values
// only; their bytes are control-codec.ts's.
import { z } from 'zod';
import { MAX_DTS, MAX_SEQ } from './bounds.ts';

/** Node ids on a way; more than is ever taken (mesh/replica.ts), so that a way too long is declined and ends no link. */
export const MAX_PATH = 8;
export const MAX_ALTERNATIVES = 16;
/** Heads in one beat; those that changed and did not fit come with the next. */
export const MAX_HEADS = 1_000;

/** Of the JSON of a question; and of the rows in one part of an answer, which with its head stays below what is taken. */
export const MAX_QUERY_CHARS = 32 * 1024;
export const MAX_REPLY_CHARS = 48 * 1024;

const id = z
  .int()
  .min(0)
  .max(2 ** 32);
/** A stream's number at the node that sends it: a counter per process, never reused. */
const ref = z
  .int()
  .min(1)
  .max(2 ** 32);
/** The number of an epoch within a stream's, counted by the node that sends it. */
const epochRef = z
  .int()
  .min(0)
  .max(2 ** 32);
const epoch = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const seq = z.int().min(0).max(MAX_SEQ);
/** Of a frame that may be the one after the last. */
const nextSeq = z
  .int()
  .min(0)
  .max(MAX_SEQ + 1);
const dts = z.number().min(-MAX_DTS).max(MAX_DTS);
const ms = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
/** Of a wait: a day at most, so that every timer takes it. */
export const MAX_WAIT_MS = 86_400_000;
const waitMs = z.number().min(0).max(MAX_WAIT_MS);
const node = z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/);
const boot = z.string().regex(/^[0-9a-f]{16}$/);
/** `app/name`; whoever uses it parses it. */
const key = z.string().min(3).max(129);
const token = z.string().regex(/^[0-9a-f]{64}$/);
const path = z.array(node).min(1).max(MAX_PATH);
const alternatives = z.array(node).max(MAX_ALTERNATIVES);
const reason = z.object({ code: z.string().max(64), message: z.string().max(256) });

const hello = z.object({ is: z.literal('hello'), node, boot, version: z.string().max(64), nonce: token });
const proof = z.object({ is: z.literal('proof'), mac: token });

/**
 * Asks for a stream. `resume`: the seq of the next frame that is missing of an epoch. `insist`: the asker found nobody
 * else, so the soft limit of children does not count. `patient`: it is fed well, and resumes without being in need.
 */
const sub = z.object({
  is: z.literal('sub'),
  id,
  key,
  resume: z.optional(z.object({ epoch, from: nextSeq })),
  insist: z.boolean(),
  patient: z.optional(z.boolean()),
});
/** Granted: media of `ref` follows. `epoch` 0: there was no frame yet. `path`: from the origin to the sender. */
const ok = z.object({
  is: z.literal('ok'),
  id,
  ref,
  epoch,
  head: seq,
  oldest: seq,
  path,
  state: z.enum(['live', 'held']),
  msLeft: waitMs,
});
/** `nosrc` has no live source; `loop` the asker feeds the sender; `busy` too many children, or between two upstreams. */
const no = z.object({
  is: z.literal('no'),
  id,
  why: z.enum(['nosrc', 'loop', 'busy', 'fenced', 'auth']),
  /** The sender's epoch of the stream; 0 if it has none. */
  epoch,
  alternatives,
});
/** Gives back what was granted to the `sub` of this id. */
const unsub = z.object({ is: z.literal('unsub'), ref, id });
/** Answers `unsub`, or says that the sender gave the stream up: nothing of that grant comes after it. */
const gone = z.object({ is: z.literal('gone'), ref, id });

/** What follows of `epochRef` begins a run at `from` (format/frame.ts): a resume, a new epoch, or a gap. */
const epochStart = z.object({
  is: z.literal('epoch'),
  ref,
  epochRef,
  epoch,
  from: nextSeq,
  firstDts: dts,
  newestDts: dts,
});
/** Frames `from` to `to` were dropped on purpose. */
const skip = z.object({ is: z.literal('skip'), ref, epochRef, from: seq, to: seq });
const pathChange = z.object({ is: z.literal('path'), ref, path });
const state = z.object({
  is: z.literal('state'),
  ref,
  at: z.enum(['live', 'held', 'ended']),
  /** Of the hold. */
  msLeft: waitMs,
  why: z.optional(reason),
});

/** The sender is the stream's origin from now on. */
const origin = z.object({ is: z.literal('origin'), key, epoch });
/** The sender knows a higher epoch of the stream than it was given. */
const fenced = z.object({ is: z.literal('fenced'), key, epoch });
/** Asks how far a node has got with a stream. */
const head = z.object({ is: z.literal('head'), id, key });
/** `live`: the sender has a live source. Epoch and seq are 0 if it doesn't have the stream. */
const headed = z.object({
  is: z.literal('headed'),
  id,
  epoch,
  seq,
  live: z.boolean(),
  path: z.array(node).max(MAX_PATH),
});
/**
 * The sender leaves: subscribe elsewhere within `deadlineMs`. `relayed`: what it is the origin of is to be had from it as
 * before, and only what it has from others is to be had there.
 */
const goaway = z.object({
  is: z.literal('goaway'),
  deadlineMs: waitMs,
  only: z.literal('relayed').optional(),
});
/** The receiver is asked to have the stream ready for `ttlMs`, played or not; 0: no longer. */
const preload = z.object({ is: z.literal('preload'), key, ttlMs: waitMs });
/**
 * Asks for what the other knows, for the state API: `kind` and `args` are http/forms/questions.ts's, which the one who asks
 * and the one who answers hold against their forms. `request`: of the API's request, for logs.
 */
const query = z.object({
  is: z.literal('query'),
  id,
  kind: z.string().max(32),
  args: z.string().max(MAX_QUERY_CHARS),
  request: z.string().max(64),
});
/** A part of the answer to the `query` of this id: rows, as a JSON array; `total`: rows that there are. The last one ends it. */
const reply = z.object({
  is: z.literal('reply'),
  id,
  total: z
    .int()
    .min(0)
    .max(2 ** 32),
  rows: z.string().max(MAX_REPLY_CHARS),
  last: z.boolean(),
});
/** There is no answer to the `query` of this id, or no more of it. */
const noreply = z.object({ is: z.literal('noreply'), id, why: reason });
/** The sender has read so many bytes of this connection, ever: what it is sent next can be metered by it. */
const got = z.object({ is: z.literal('got'), bytes: z.int().min(0).max(Number.MAX_SAFE_INTEGER) });
const beat = z.object({
  is: z.literal('beat'),
  /** Monotonic time of the sender, ms. */
  at: ms,
  /** The `at` of the last beat that it heard, and how long ago that was; absent before the first. */
  echo: z.optional(z.object({ at: ms, heldMs: ms })),
  /** Registry time as the sender knows it from the registry itself, ms since 1970; 0: it doesn't. */
  registryWallMs: ms,
  /** [ref, epochRef, seq] of streams subscribed on this link whose head moved. */
  heads: z.array(z.tuple([ref, epochRef, seq])).max(MAX_HEADS),
  /** When each of these heads came to the sender, by its monotonic time, ms. */
  cameAt: z.optional(z.array(ms).max(MAX_HEADS)),
});

/** A message that has the form it must have; fields that a newer version added are left out. */
export const controlMessage = z.discriminatedUnion('is', [
  hello,
  proof,
  sub,
  ok,
  no,
  unsub,
  gone,
  epochStart,
  skip,
  pathChange,
  state,
  origin,
  fenced,
  head,
  headed,
  goaway,
  preload,
  query,
  reply,
  noreply,
  got,
  beat,
]);

export type ControlMessage = z.output<typeof controlMessage>;
/** One kind of message: `Control<'sub'>`. */
export type Control<K extends ControlMessage['is']> = Extract<ControlMessage, { is: K }>;
