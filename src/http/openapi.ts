// The OpenAPI 3.1 document of the JSON API, made of the operations as they are declared and of the forms that answers are
// held against. It is for everybody: there is nothing in it that the source does not say.
import { createHash } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import { statusOf } from './answer.ts';
import { type OperationId, operations } from './api-operations.ts';
import { BODY_ERRORS, COMMON_ERRORS, type Declared } from './api-route.ts';
import { alarmRow, alarmsAnswer, eventRow, eventsAnswer } from './forms/alarms.ts';
import { reason, staleNode } from './forms/common.ts';
import { consideredRow, decisionRow, decisionsAnswer, filteredRow, parentRow } from './forms/decisions.ts';
import { drainAnswer, drainBody } from './forms/drain.ts';
import { liveEvents } from './forms/live.ts';
import {
  linkRow,
  linksAnswer,
  loadRow,
  nodeLink,
  nodeRow,
  nodesAnswer,
  statusAnswer,
} from './forms/nodes.ts';
import { preloadAnswer, preloadBody, preloadRow } from './forms/preload.ts';
import { problem } from './forms/problem.ts';
import { history, hopQuality, streamQuality } from './forms/quality.ts';
import { reloadAnswer, reloadBody } from './forms/reload.ts';
import { routeDocument } from './forms/routes.ts';
import { sessionRow, sessionsAnswer } from './forms/sessions.ts';
import {
  childRow,
  hereRow,
  originRow,
  replicaRow,
  streamRow,
  streamsAnswer,
  treeAnswer,
  treeNode,
} from './forms/streams.ts';
import { trafficAnswer } from './forms/traffic.ts';
import type { Route } from './route.ts';

/** A form, and what zod made of it. */
interface Made {
  readonly zodSchema: z.core.$ZodTypes;
  readonly jsonSchema: z.core.JSONSchema.BaseSchema;
}

/** JSON Schema, or a part of the document. */
type Json = Readonly<Record<string, unknown>>;

/** Forms by the names that they have in the document. */
const SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  Alarm: alarmRow,
  Alarms: alarmsAnswer,
  Child: childRow,
  Considered: consideredRow,
  Decision: decisionRow,
  Decisions: decisionsAnswer,
  Drain: drainAnswer,
  DrainOrder: drainBody,
  Event: eventRow,
  Events: eventsAnswer,
  Filtered: filteredRow,
  Here: hereRow,
  History: history,
  Hop: hopQuality,
  Link: linkRow,
  Links: linksAnswer,
  LiveHello: liveEvents.hello,
  LiveNodes: liveEvents.nodes,
  Load: loadRow,
  Node: nodeRow,
  NodeLink: nodeLink,
  Nodes: nodesAnswer,
  Origin: originRow,
  Parent: parentRow,
  Preload: preloadAnswer,
  PreloadOrder: preloadBody,
  PreloadRow: preloadRow,
  Problem: problem,
  Quality: streamQuality,
  Reason: reason,
  Reload: reloadAnswer,
  ReloadOrder: reloadBody,
  Replica: replicaRow,
  RouteAnswer: routeDocument,
  Session: sessionRow,
  Sessions: sessionsAnswer,
  StaleNode: staleNode,
  Status: statusAnswer,
  Stream: streamRow,
  Streams: streamsAnswer,
  Traffic: trafficAnswer,
  Tree: treeAnswer,
  TreeNode: treeNode,
};
const LIVE_SCHEMAS: Readonly<Record<keyof typeof liveEvents, string>> = {
  hello: 'LiveHello',
  status: 'Status',
  nodes: 'LiveNodes',
  stream: 'Tree',
  alarm: 'Alarm',
  event: 'Event',
};
const TAGS: Readonly<Record<string, string>> = {
  cluster: 'The nodes of the cluster, and the links between them.',
  streams: 'Streams, the trees that they go down by, and copies that are to be ready.',
  sessions: 'Publishers and players.',
  routing: 'Which node to go to, and why.',
  watching: 'What happens: alarms, events, traffic.',
  node: 'The node that answers.',
};
const PATH_PARAMETERS: Readonly<Record<string, Json>> = {
  app: { description: 'The first part of a stream key.', schema: { type: 'string', maxLength: 64 } },
  name: { description: 'The second part of a stream key.', schema: { type: 'string', maxLength: 64 } },
  id: { description: 'Id of a session.', schema: { type: 'string', maxLength: 32 } },
};

/** @param version of this node */
export function openApiDocument(version: string): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tideway',
      description:
        'The state of a Tideway cluster, and orders to it. Any node answers for the whole cluster. This machine needs no ' +
        'token, unless `api.requireToken` is set; others send one of `api.token` or `api.tokens`. `x-role` is the role that ' +
        'an operation takes: an operator may do what a viewer may, an admin everything.',
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, {}],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: pathsOf(),
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'One of `api.token` and `api.tokens` of the node.',
        },
      },
      schemas: schemasOf(),
    },
  };
}

/** `/api/openapi.json`. */
export function openApiRoute(version: string): Route {
  const body = Buffer.from(`${JSON.stringify(openApiDocument(version), undefined, 1)}\n`);
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  const headers = { ETag: etag, 'Cache-Control': 'no-cache' };
  return {
    methods: ['GET', 'HEAD'],
    matches: (path) => path === '/api/openapi.json',
    handle: (request, response) => {
      if (request.headers['if-none-match'] === etag) {
        response.writeHead(304, headers);
        response.end();
        return;
      }
      const content = { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': body.length };
      response.writeHead(200, { ...headers, ...content });
      response.end(body);
    },
  };
}

function pathsOf(): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const [id, declared] of Object.entries(operations) as [OperationId, Declared][]) {
    const path = paths[declared.path] ?? {};
    path[declared.method.toLowerCase()] = operationOf(id, declared);
    paths[declared.path] = path;
  }
  return paths;
}

function operationOf(id: OperationId, declared: Declared): Json {
  const { tag, role, summary, description, body } = declared;
  const parameters = [...pathParametersOf(declared), ...queryParametersOf(declared)];
  return {
    ...{ operationId: id, tags: [tag], summary },
    ...(description !== undefined && { description }),
    'x-role': role,
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: { required: true, content: { 'application/json': { schema: refTo(body) } } },
    }),
    responses: { ...answersOf(declared), ...refusalsOf(declared) },
  };
}

function pathParametersOf({ path }: Declared): Json[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => {
    return { name, in: 'path', required: true, ...PATH_PARAMETERS[name] };
  });
}

function queryParametersOf({ query }: Declared): Json[] {
  if (!query) return [];
  const { properties = {}, required = [] } = z.toJSONSchema(query, {
    io: 'input',
    override: tidied,
  });
  return Object.entries(properties).map(([name, schema]) => {
    const { description, ...rest } = schema as Json;
    return {
      ...{ name, in: 'query', required: required.includes(name) },
      ...(description !== undefined && { description }),
      schema: rest,
    };
  });
}

function answersOf({ answers, isLive }: Declared): Json {
  return Object.fromEntries(
    Object.entries(answers).map(([status, form]) => {
      const description = STATUS_CODES[Number(status)] ?? '';
      if (form === null) return [status, { description }];
      const content = { 'application/json': { schema: refTo(form) } };
      return [status, { description, content: isLive ? { ...content, ...liveContent() } : content }];
    }),
  );
}

/** OpenAPI 3.1 has no words for a stream of events: they are told in a sentence, and in a member of our own. */
function liveContent(): Json {
  const events = Object.entries(LIVE_SCHEMAS);
  const sentence = events.map(([name, schema]) => `\`${name}\` (${schema})`).join(', ');
  return {
    'text/event-stream': {
      schema: { type: 'string', description: `Server-Sent Events, whose data is JSON: ${sentence}.` },
      'x-events': Object.fromEntries(events.map(([name, schema]) => [name, refOf(schema)])),
    },
  };
}

function refusalsOf({ errors, body }: Declared): Json {
  const codes = [...COMMON_ERRORS, ...errors, ...(body ? BODY_ERRORS : [])].sort();
  const byStatus = new Map<number, string[]>();
  for (const code of codes) byStatus.set(statusOf(code), [...(byStatus.get(statusOf(code)) ?? []), code]);
  const content = { 'application/problem+json': { schema: refOf('Problem') } };
  return Object.fromEntries(
    [...byStatus].map(([status, some]) => [
      String(status),
      { description: `${STATUS_CODES[status]}: ${some.map((code) => `\`${code}\``).join(', ')}`, content },
    ]),
  );
}

function schemasOf(): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, form] of Object.entries(SCHEMAS)) registry.add(form, { id });
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: pathOf, override: tidied });
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _schema, $id: _id, ...schema }]) => [name, schema]),
  );
}

function refTo(form: z.ZodType): Json {
  const found = Object.entries(SCHEMAS).find(([, named]) => named === form);
  if (!found) throw new Error('a form of the API has no name in the document');
  return refOf(found[0]);
}

function refOf(name: string): Json {
  return { $ref: pathOf(name) };
}

function pathOf(name: string): string {
  return `#/components/schemas/${name}`;
}

/** Says what zod leaves out, and leaves out what says nothing. */
function tidied({ zodSchema, jsonSchema }: Made): void {
  // What every number of JavaScript is within, and what the format says in a word.
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
  const { def } = zodSchema._zod;
  if (def.type === 'default') jsonSchema.default = def.defaultValue;
}
