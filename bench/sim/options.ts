// What a simulation is told on its command line, and its two sizes.
import { parseArgs } from 'node:util';
import type { Size } from './world.ts';

export const SCENARIOS = ['steady', 'surge', 'small'] as const;
export type Scenario = (typeof SCENARIOS)[number];

export const USAGE = `npm run sim -- [options]
  --full             1,000 nodes, 100,000 streams, 1,000,000 players instead of 100, 10,000 and 100,000
  --scenario LIST    some of: ${SCENARIOS.join(', ')} (all)
  --seed TEXT        the same seed gives the same figures (1)
  --nodes N, --streams N, --players N
  --seconds N        of each phase: steady, after nodes joined, after nodes died, at rest (30)
  --busy SHARE       how busy nodes are in the mean when all players are there (0.5)
  --cases N          small cases (500)
  --json FILE        writes {machine, options, rows, figures}
  --svg FILE         draws one tree: that of the surge, or if it was not run, of the steady cluster`;

export interface Options extends Size {
  readonly seed: string;
  readonly scenarios: readonly Scenario[];
  readonly seconds: number;
  readonly busy: number;
  readonly cases: number;
  readonly json: string | undefined;
  readonly svg: string | undefined;
}

/**
 * The options of a command line; undefined: it asks for help.
 * @throws Error that names what is wrong with it
 */
export function readOptions(args: readonly string[]): Options | undefined {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ scenario: text, seed: text, nodes: text, streams: text, players: text, seconds: text },
      ...{ busy: text, cases: text, json: text, svg: text },
      ...{ full: { type: 'boolean' }, help: { type: 'boolean' } },
    },
  });
  if (values.help) return undefined;
  const scale = values.full ? 10 : 1;
  const number = (name: 'nodes' | 'streams' | 'players' | 'seconds' | 'busy' | 'cases', usual: number) => {
    const value = Number(values[name] ?? usual);
    if (!(value > 0)) throw new Error(`--${name}: ${values[name]} is not a number above 0`);
    return value;
  };
  const wanted = values.scenario?.split(',') ?? SCENARIOS;
  const unknown = wanted.find((name) => !SCENARIOS.some((known) => known === name));
  if (unknown !== undefined) throw new Error(`--scenario: ${unknown} is none of ${SCENARIOS.join(', ')}`);
  return {
    nodes: Math.ceil(number('nodes', 100 * scale)),
    streams: Math.ceil(number('streams', 10_000 * scale)),
    players: Math.ceil(number('players', 100_000 * scale)),
    ...{ seconds: number('seconds', 30), busy: number('busy', 0.5), cases: Math.ceil(number('cases', 500)) },
    scenarios: SCENARIOS.filter((name) => wanted.includes(name)),
    ...{ seed: values.seed ?? '1', json: values.json, svg: values.svg },
  };
}
