// Every operation of `/api/v1`, declared once: what answers it, what describes it (openapi.ts) and what tests hold it against
// is made of this table. Pure.
import { z } from 'zod';
import { isLabel } from '../base/label.ts';
import { MAX_DECISIONS } from '../routing/decisions.ts';
import { MAX_SESSION_CHARS } from '../routing/sessions.ts';
import { limitOf, streamParameter, wholeNumber } from './api-query.ts';
import type { Asked, Declared, Handler } from './api-route.ts';
import { alarmsAnswer, eventsAnswer } from './forms/alarms.ts';
import { nodeId } from './forms/common.ts';
import { decisionsAnswer } from './forms/decisions.ts';
import { drainAnswer, drainBody } from './forms/drain.ts';
import { topic } from './forms/live.ts';
import { linksAnswer, nodesAnswer, statusAnswer } from './forms/nodes.ts';
import { preloadAnswer, preloadBody } from './forms/preload.ts';
import { reloadAnswer, reloadBody } from './forms/reload.ts';
import { routeDocument } from './forms/routes.ts';
import { sessionRow, sessionsAnswer } from './forms/sessions.ts';
import { streamSort, streamsAnswer, treeAnswer } from './forms/streams.ts';
import { trafficAnswer } from './forms/traffic.ts';

/** Rows of `/api/v1/streams` without `limit=`, and at most. */
export const DEFAULT_LIMIT = 1_000;
export const MAX_LIMIT = 10_000;
/** Rows of `/api/v1/decisions`. */
export const DEFAULT_DECISIONS = 50;
export const MOST_DECISIONS = MAX_DECISIONS;
/** Rows of the other lists. */
const ROWS = { usual: 100, most: 1_000 };
const MAX_OFFSET = 1_000_000;
const MAX_TOPICS_CHARS = 64;

const node = nodeId.optional();
const stream = streamParameter.optional();
const label = z.string().refine(isLabel, 'is 1 to 64 of A-Z a-z 0-9 _ . + -').optional();
const topics = z
  .string()
  .max(MAX_TOPICS_CHARS)
  .transform((text) => text.split(','))
  .pipe(z.array(topic))
  .meta({ type: 'string', description: `What is listened to: ${topic.options.join(', ')}, with commas.` });

/** Who asks for a node, as a query tells it. */
export const askerQuery = z.strictObject({
  region: label,
  zone: label,
  network: z.enum(['public', 'internal'], 'is public or internal').default('public'),
  session: z
    .string()
    .min(1, `is 1 to ${MAX_SESSION_CHARS} characters`)
    .max(MAX_SESSION_CHARS, `is 1 to ${MAX_SESSION_CHARS} characters`)
    .optional(),
});

const ROUTE_ERRORS = [
  'route.network',
  'route.no-node',
  'route.place',
  'route.protocol',
  'route.session',
  'route.stream',
  'stream-key.invalid',
  'stream-key.reserved',
] as const;
const STREAM_ERRORS = ['route.stream', 'stream-key.invalid', 'stream-key.reserved'] as const;
/** Too many ask the cluster at once. */
const BUSY = 'cluster.busy';
const KEY_ERRORS = ['stream-key.invalid', 'stream-key.reserved'] as const;

export const operations = {
  status: {
    method: 'GET',
    path: '/api/v1/status',
    tag: 'cluster',
    role: 'viewer',
    summary: 'Tells how the cluster is, in sums',
    answers: { 200: statusAnswer },
    errors: [],
  },
  nodes: {
    method: 'GET',
    path: '/api/v1/nodes',
    tag: 'cluster',
    role: 'viewer',
    summary: 'Lists the nodes',
    description: 'As the beats of each tell of it; beside it the link between it and the node that answers.',
    answers: { 200: nodesAnswer },
    errors: [],
  },
  links: {
    method: 'GET',
    path: '/api/v1/links',
    tag: 'cluster',
    role: 'viewer',
    summary: 'Lists the links between nodes',
    description: 'Each from both ends: one row of each of the two nodes.',
    query: z.strictObject({ node }),
    answers: { 200: linksAnswer },
    errors: [BUSY],
  },
  streams: {
    method: 'GET',
    path: '/api/v1/streams',
    tag: 'streams',
    role: 'viewer',
    summary: 'Lists the streams of the cluster',
    query: z.strictObject({
      q: z.string().min(1).max(129).meta({ description: 'Part of the key, of whatever case.' }).optional(),
      state: z.enum(['live', 'held']).optional(),
      node: nodeId.meta({ description: 'Only those that this node has.' }).optional(),
      sort: streamSort.default('key'),
      order: z
        .enum(['asc', 'desc'])
        .meta({ description: 'Without it asc of keys, and desc of everything else.' })
        .optional(),
      offset: wholeNumber(0, MAX_OFFSET).default(0),
      limit: limitOf({ usual: DEFAULT_LIMIT, most: MAX_LIMIT }),
      history: z
        .literal('1')
        .meta({ description: 'With the recent past of each stream, of the first 1000 rows.' })
        .optional(),
    }),
    answers: { 200: streamsAnswer },
    errors: [BUSY, 'api.limit'],
  },
  stream: {
    method: 'GET',
    path: '/api/v1/streams/{app}/{name}',
    tag: 'streams',
    role: 'viewer',
    summary: 'Tells of one stream, with the tree that it goes down by',
    answers: { 200: treeAnswer },
    errors: [BUSY, 'api.no-stream', ...KEY_ERRORS],
  },
  showPreload: {
    method: 'GET',
    path: '/api/v1/streams/{app}/{name}/preload',
    tag: 'streams',
    role: 'viewer',
    summary: 'Tells which copies of a stream are to be ready',
    answers: { 200: preloadAnswer },
    errors: ['preload.none', ...KEY_ERRORS],
  },
  orderPreload: {
    method: 'POST',
    path: '/api/v1/streams/{app}/{name}/preload',
    tag: 'streams',
    role: 'operator',
    summary: 'Orders copies of a stream to be ready',
    description: 'In place of the order before. Name either nodes, or regions with copies in each of them.',
    body: preloadBody,
    answers: { 202: preloadAnswer },
    errors: [
      'preload.alone',
      'preload.too-many-orders',
      'preload.unknown-node',
      'preload.unknown-region',
      'preload.where',
      ...KEY_ERRORS,
    ],
  },
  cancelPreload: {
    method: 'DELETE',
    path: '/api/v1/streams/{app}/{name}/preload',
    tag: 'streams',
    role: 'operator',
    summary: 'Ends the order for a stream',
    answers: { 204: null },
    errors: ['preload.none', ...KEY_ERRORS],
  },
  sessions: {
    method: 'GET',
    path: '/api/v1/sessions',
    tag: 'sessions',
    role: 'viewer',
    summary: 'Lists publishers and players, newest first',
    query: z.strictObject({
      stream,
      node,
      kind: z.enum(['publisher', 'player']).optional(),
      state: z.enum(['open', 'ended']).optional(),
      limit: limitOf(ROWS),
    }),
    answers: { 200: sessionsAnswer },
    errors: [BUSY, 'api.limit', ...STREAM_ERRORS],
  },
  session: {
    method: 'GET',
    path: '/api/v1/sessions/{id}',
    tag: 'sessions',
    role: 'viewer',
    summary: 'Tells of one session, at whatever node it is',
    answers: { 200: sessionRow },
    errors: [BUSY, 'api.no-session'],
  },
  kick: {
    method: 'DELETE',
    path: '/api/v1/sessions/{id}',
    tag: 'sessions',
    role: 'operator',
    summary: 'Ends a session, at whatever node it is',
    description: 'The answer is the session as it was.',
    answers: { 200: sessionRow },
    errors: [BUSY, 'api.no-session'],
  },
  decisions: {
    method: 'GET',
    path: '/api/v1/decisions',
    tag: 'routing',
    role: 'viewer',
    summary: 'Tells which nodes were chosen of late, and why',
    query: z.strictObject({
      stream,
      scope: z
        .enum(['node', 'cluster'])
        .default('node')
        .meta({ description: 'What the node that answers decided, or what all did.' }),
      limit: limitOf({ usual: DEFAULT_DECISIONS, most: MOST_DECISIONS }),
    }),
    answers: { 200: decisionsAnswer },
    errors: [BUSY, 'api.limit', ...STREAM_ERRORS],
  },
  routePlay: {
    method: 'GET',
    path: '/api/v1/route/play',
    tag: 'routing',
    role: 'viewer',
    summary: 'Chooses a node for a player',
    query: askerQuery.extend({
      stream: streamParameter,
      protocol: z.enum(['http-flv', 'ws-flv', 'rtmp'], 'is http-flv or ws-flv or rtmp').default('http-flv'),
    }),
    answers: { 200: routeDocument },
    errors: ROUTE_ERRORS,
  },
  routePublish: {
    method: 'GET',
    path: '/api/v1/route/publish',
    tag: 'routing',
    role: 'viewer',
    summary: 'Chooses a node for a publisher',
    query: askerQuery.extend({
      stream: streamParameter,
      protocol: z.enum(['rtmp', 'http-flv'], 'is rtmp or http-flv').default('rtmp'),
    }),
    answers: { 200: routeDocument },
    errors: ROUTE_ERRORS,
  },
  alarms: {
    method: 'GET',
    path: '/api/v1/alarms',
    tag: 'watching',
    role: 'viewer',
    summary: 'Lists alarms: those that last, then those that ended',
    query: z.strictObject({ stream, node, limit: limitOf(ROWS) }),
    answers: { 200: alarmsAnswer },
    errors: [BUSY, 'api.limit', ...STREAM_ERRORS],
  },
  events: {
    method: 'GET',
    path: '/api/v1/events',
    tag: 'watching',
    role: 'viewer',
    summary: 'Lists what happened, newest first; or tells it live',
    description:
      'With "Accept: text/event-stream" it goes on telling, as Server-Sent Events, what `topics` names, and with `stream` ' +
      'the tree of that stream. Otherwise it is a list.',
    query: z.strictObject({ stream, node, limit: limitOf(ROWS), topics: topics.optional() }),
    answers: { 200: eventsAnswer },
    isLive: true,
    errors: [BUSY, 'api.limit', 'api.too-many-listeners', 'api.too-many-of-caller', ...STREAM_ERRORS],
  },
  traffic: {
    method: 'GET',
    path: '/api/v1/traffic',
    tag: 'watching',
    role: 'viewer',
    summary: 'Tells bytes and what they cost, summed up',
    query: z.strictObject({
      by: z.enum(['node', 'stream', 'protocol', 'regions', 'all']).default('node'),
      stream,
      node,
      limit: limitOf(ROWS),
    }),
    answers: { 200: trafficAnswer },
    errors: [BUSY, 'api.limit', ...STREAM_ERRORS],
  },
  showDrain: {
    method: 'GET',
    path: '/api/v1/node/drain',
    tag: 'node',
    role: 'viewer',
    summary: 'Tells how far the drain of the node that answers is',
    answers: { 200: drainAnswer },
    errors: [],
  },
  beginDrain: {
    method: 'POST',
    path: '/api/v1/node/drain',
    tag: 'node',
    role: 'operator',
    summary: 'Empties the node that answers',
    body: drainBody,
    answers: { 200: drainAnswer },
    errors: [],
  },
  undoDrain: {
    method: 'DELETE',
    path: '/api/v1/node/drain',
    tag: 'node',
    role: 'operator',
    summary: 'Has the node that answers take everybody again',
    answers: { 200: drainAnswer },
    errors: [],
  },
  reload: {
    method: 'POST',
    path: '/api/v1/node/reload',
    tag: 'node',
    role: 'admin',
    summary: 'Has the node that answers read its configuration again',
    description:
      'What can take effect at once does; the rest is named. If something is wrong with it, nothing changes.',
    body: reloadBody,
    answers: { 200: reloadAnswer },
    errors: ['config.invalid', 'config.syntax', 'config.unreadable'],
  },
} as const satisfies Record<string, Declared>;

export type Operations = typeof operations;
export type OperationId = keyof Operations;
export type AskedOf<K extends OperationId> = Asked<Operations[K]>;
/** What answers each. */
export type Handlers = { readonly [K in OperationId]: Handler<Operations[K]> };
