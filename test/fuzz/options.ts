// What the fuzz command is told.
import { parseArgs } from 'node:util';

export const USAGE = `npm run fuzz -- [options]
  --target NAME   one of those that are listed without a name, or all
  --seconds N     of each target (60)
  --seed N        the same seed makes the same inputs (drawn by chance)
  --out FOLDER    where finds go (test-output/fuzz)
  --replay FILE   runs this one input instead, and tells what comes of it`;

export interface Options {
  readonly target: string | undefined;
  readonly seconds: number;
  readonly seed: number;
  readonly out: string;
  readonly replay: string | undefined;
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
      ...{ target: text, seconds: text, seed: text, out: text, replay: text },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return undefined;
  return {
    target: values.target,
    seconds: numberOf('seconds', values.seconds ?? '60', 1),
    seed: numberOf('seed', values.seed ?? String(Math.floor(Math.random() * 2 ** 31)), 0),
    out: values.out ?? 'test-output/fuzz',
    replay: values.replay,
  };
}

function numberOf(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!(value >= least)) throw new Error(`--${name}: ${text} is not a number of at least ${least}`);
  return value;
}
