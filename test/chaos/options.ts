// What the chaos command is told.
import { parseArgs } from 'node:util';
import { FAULT_KINDS, type FaultKind } from './plan.ts';
import type { Site } from './site.ts';

export const USAGE = `npm run chaos -- [options]
  --seed N         the same seed plans the same faults (drawn by chance)
  --minutes M      no round of faults begins after this (3)
  --profile NAME   chaos: round after round; soak: a minute of rest after each, for hours (chaos)
  --network NAME   namespaces, where root can make them, or proxies (namespaces, if they can be had)
  --without LIST   kinds of faults that are left out: ${FAULT_KINDS.join(', ')}
  --json FILE      writes {seed, faults, violations: []} and the figures`;

type Network = Site['network'];

const REST_MS = { chaos: 0, soak: 60_000 } as const;

export interface Options {
  readonly seed: number;
  readonly ms: number;
  readonly restMs: number;
  readonly network: Network | undefined;
  readonly without: readonly FaultKind[];
  readonly json: string | undefined;
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
      ...{ seed: text, minutes: text, profile: text, network: text, without: text, json: text },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return undefined;
  const profile = oneOf('profile', ['chaos', 'soak'], values.profile ?? 'chaos');
  const { network } = values;
  return {
    seed: wholeNumber('seed', values.seed ?? String(Math.floor(Math.random() * 2 ** 31))),
    ms: 60_000 * aboveZero('minutes', values.minutes ?? '3'),
    restMs: REST_MS[profile],
    network:
      network === undefined ? undefined : oneOf<Network>('network', ['namespaces', 'proxies'], network),
    without: listed(values.without).map((kind) => oneOf('without', FAULT_KINDS, kind)),
    json: values.json,
  };
}

function listed(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
}

function oneOf<Name extends string>(option: string, names: readonly Name[], text: string): Name {
  const found = names.find((name) => name === text);
  if (found === undefined) throw new Error(`--${option}: ${text} is none of ${names.join(', ')}`);
  return found;
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${option}: ${text} is no whole number`);
  return value;
}

function aboveZero(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 100_000)) throw new Error(`--${option}: ${text} is not a number above 0`);
  return value;
}
