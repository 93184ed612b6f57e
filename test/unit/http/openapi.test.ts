// The document that describes the API: that it is valid, and says what the routes do.
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { type Handlers, operations } from '../../../src/http/api-operations.ts';
import { apiRoutes } from '../../../src/http/api-routes.ts';
import { openApiDocument, openApiRoute } from '../../../src/http/openapi.ts';
import { HttpServer } from '../../../src/http/server.ts';
import { accessBy } from '../../support/api-access.ts';
import { FakeLog } from '../../support/media.ts';
import { projectText } from '../../support/source-tree.ts';

type Json = Record<string, unknown>;

/** As who fetches it sees it. */
const document = JSON.parse(JSON.stringify(openApiDocument('1.2.3'))) as {
  paths: Record<string, Record<string, Json & { operationId: string; responses: Record<string, Json> }>>;
  components: { schemas: Record<string, Json> };
};

function refsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, part]) => {
    return name === '$ref' && typeof part === 'string' ? [part] : refsIn(part);
  });
}

test('it is valid OpenAPI 3.1', async () => {
  const validator = new Validator();
  expect(await validator.validate(structuredClone(document))).toEqual({ valid: true });
  expect(validator.version).toBe('3.1');
});

test('it names every operation that is served, once', () => {
  const named = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId }]) => [operationId, method.toUpperCase(), path]),
  );
  const declared = Object.entries(operations).map(([id, { method, path }]) => [id, method, path]);
  expect(named.sort()).toEqual(declared.sort());
});

test('each reference leads to a schema, and each schema is led to', () => {
  const names = new Set(refsIn(document).map((ref) => ref.replace('#/components/schemas/', '')));
  expect([...names].sort()).toEqual(Object.keys(document.components.schemas).sort());
});

test('each refusal of an operation is a problem, at the status that it has', () => {
  for (const methods of Object.values(document.paths)) {
    for (const { operationId, responses } of Object.values(methods)) {
      expect(Object.keys(responses), operationId).toEqual(
        expect.arrayContaining(['400', '401', '403', '500']),
      );
      for (const [status, { content }] of Object.entries(responses)) {
        if (Number(status) < 400) continue;
        const problem = { schema: { $ref: '#/components/schemas/Problem' } };
        expect(content, `${operationId} ${status}`).toEqual({ 'application/problem+json': problem });
      }
    }
  }
  expect(document.paths['/api/v1/sessions/{id}']?.delete?.responses['404']).toMatchObject({
    description: 'Not Found: `api.no-session`',
  });
});

test('each code that an operation declares is in docs/errors.md', () => {
  const listed = [...projectText('docs/errors.md').matchAll(/^\| `([^`]+)` \|/gm)].map(([, code]) => code);
  const declared = Object.values(operations).flatMap(({ errors }) => [...errors] as string[]);
  expect(declared.filter((code) => !listed.includes(code))).toEqual([]);
});

test('each operation tells the role that it takes: who looks changes nothing', () => {
  const roles = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [`${method} ${path}`, operation['x-role']]),
  );
  const beyondLooking = roles.filter(([, role]) => role !== 'viewer').map(([operation]) => operation);
  const changing = roles.map(([operation]) => operation).filter((name) => !String(name).startsWith('get '));
  expect(beyondLooking).toEqual(changing);
  expect(Object.fromEntries(roles)['delete /api/v1/sessions/{id}']).toBe('operator');
});

test('limits and defaults of a query are told', () => {
  const parameters = document.paths['/api/v1/streams']?.get?.parameters;
  expect(parameters).toContainEqual({
    ...{ name: 'limit', in: 'query', required: false },
    schema: { type: 'integer', minimum: 1, maximum: 10_000, default: 1_000 },
  });
  expect(parameters).toContainEqual({
    ...{ name: 'state', in: 'query', required: false },
    schema: { type: 'string', enum: ['live', 'held'] },
  });
  expect(document.paths['/api/v1/route/play']?.get?.parameters).toContainEqual(
    expect.objectContaining({ name: 'stream', required: true }),
  );
});

describe('over HTTP', () => {
  async function serve(): Promise<AsyncDisposable & { readonly url: string }> {
    const counters = { refused() {}, wireError() {} };
    const handlers: Partial<Handlers> = {};
    const server = new HttpServer(
      { host: '127.0.0.1', port: 0, maxConnections: 50 },
      {
        ...{ clock: systemClock, log: new FakeLog(), counters, upgrades: [] },
        routes: [
          ...apiRoutes({ access: accessBy(), clock: systemClock, log: new FakeLog() }, handlers),
          openApiRoute('1.2.3'),
        ],
      },
    );
    await server.start();
    return {
      url: `http://127.0.0.1:${server.port}/api/openapi.json`,
      [Symbol.asyncDispose]: () => server.stop(100),
    };
  }

  test('it is for everybody, and is not sent again to who has it', async () => {
    await using server = await serve();
    const forwarded = { 'X-Forwarded-For': '10.0.0.1' };
    const answer = await fetch(server.url, { headers: forwarded });
    expect([answer.status, answer.headers.get('content-type'), answer.headers.get('cache-control')]).toEqual([
      200,
      'application/json; charset=utf-8',
      'no-cache',
    ]);
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    expect(await answer.json()).toEqual(document);
    const etag = answer.headers.get('etag') ?? '';
    const again = await fetch(server.url, { headers: { ...forwarded, 'If-None-Match': etag } });
    expect([again.status, await again.text()]).toEqual([304, '']);
    const head = await fetch(server.url, { method: 'HEAD' });
    expect([head.status, head.headers.get('etag'), await head.text()]).toEqual([200, etag, '']);
  });
});
