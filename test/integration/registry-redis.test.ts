// The Redis driver against real servers.
import { afterAll, beforeAll, describe } from 'vitest';
import { registryContract } from '../contract/registry.ts';
import { RedisServer } from '../support/redis-server.ts';
import { redisRegistry } from '../support/registries.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server[Symbol.asyncDispose]());

describe('the registry in Redis', () => {
  registryContract((options) => redisRegistry(server, options));
});
