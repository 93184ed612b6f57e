import { describe } from 'vitest';
import { registryContract } from '../../contract/registry.ts';
import { memoryRegistry } from '../../support/registries.ts';

describe('the registry in memory', () => {
  registryContract(async (options) => memoryRegistry(options));
});
