import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../../src/config/config-error.ts';
import { loadConfig } from '../../../src/config/load.ts';

function yaml(text: string) {
  return loadConfig({ file: { name: 'config.yaml', text } });
}

function problems(text: string): readonly string[] {
  try {
    yaml(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('prices, networks and preloads', () => {
  test('are read from text', () => {
    const config = loadConfig({
      env: {
        TIDEWAY_ROUTING_PRICES: 'eu>us=0.02, *>ap=9',
        TIDEWAY_ROUTING_NETWORKS: '10.1.0.0/16=eu,2001:db8::/32=us',
        TIDEWAY_PRELOAD: 'live/vip*=eu/us:2,news/*=ap',
        TIDEWAY_NODE_TAGS: 'gpu, edge',
      },
    });

    expect(config.routing.prices).toEqual([
      { from: 'eu', to: 'us', price: 0.02 },
      { from: '*', to: 'ap', price: 9 },
    ]);
    expect(config.routing.networks).toEqual([
      { network: '10.1.0.0/16', region: 'eu' },
      { network: '2001:db8::/32', region: 'us' },
    ]);
    expect(config.preload).toEqual([
      { match: 'live/vip*', regions: ['eu', 'us'], copies: 2 },
      { match: 'news/*', regions: ['ap'], copies: 1 },
    ]);
    expect(config.node.tags).toEqual(['gpu', 'edge']);
  });

  test('are read from lists of a file', () => {
    const config = yaml(
      [
        'routing:',
        '  prices: [{ from: eu, to: us, price: 0.02 }]',
        '  networks: [{ network: 10.0.0.0/8, region: eu }]',
        'preload: [{ match: "live/*", regions: [eu, us] }]',
      ].join('\n'),
    );

    expect(config.routing.prices).toEqual([{ from: 'eu', to: 'us', price: 0.02 }]);
    expect(config.routing.networks).toEqual([{ network: '10.0.0.0/8', region: 'eu' }]);
    expect(config.preload).toEqual([{ match: 'live/*', regions: ['eu', 'us'], copies: 1 }]);
  });

  test.each([
    ['routing: { prices: "eu>us" }', 'routing.prices'],
    ['routing: { prices: "eu>us=-1" }', 'routing.prices'],
    ['routing: { prices: "eu>us=1,eu>us=2" }', 'routing.prices'],
    ['routing: { networks: "10.0.0.0/33=eu" }', 'routing.networks'],
    ['routing: { networks: "10.0.0.0=eu" }', 'routing.networks'],
    ['routing: { networks: "10.0.0.0/8=eu,10.0.0.0/8=us" }', 'routing.networks'],
    ['preload: "live/*"', 'preload'],
    ['preload: "live/*=eu:17"', 'preload'],
    ['preload: "live/*=eu/eu"', 'preload'],
    ['node: { tags: "gpu,gpu" }', 'node.tags'],
    ['routing: { weights: { cpu: -1 } }', 'routing.weights.cpu'],
    ['routing: { weights: { cpu: 101 } }', 'routing.weights.cpu'],
    ['routing: { limits: { cpu: 0 } }', 'routing.limits.cpu'],
    ['routing: { limits: { cpu: 90 } }', 'routing.limits.cpu'],
  ])('%s is refused with its key', (text, key) => {
    const [problem = '', ...more] = problems(text);
    expect(problem).toMatch(new RegExp(`^${key} \\(config.yaml:1\\): .* is not allowed; allowed: `));
    expect(more).toEqual([]);
  });
});

describe('labels and weights that contradict each other', () => {
  test('a zone without a region is refused', () => {
    expect(problems('node: { zone: a }')).toEqual([
      'node.zone: a is a zone of no region: give node.region, too',
    ]);
  });

  test('weights that are all 0 are refused', () => {
    const weights = '{ cpu: 0, memory: 0, bandwidth: 0, place: 0, link: 0, price: 0, stream: 0 }';
    expect(problems(`routing: { weights: ${weights} }`)).toEqual([
      'routing.weights: all are 0, so that no node is better than another: raise one of them',
    ]);
  });

  test('a price within a region is refused', () => {
    expect(problems('routing: { prices: "eu>eu=1" }')).toEqual([
      'routing.prices: eu>eu=1: within a region nothing is priced',
    ]);
  });
});
