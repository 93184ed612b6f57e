// What was typed after `tideway`, as a value. Knows names, not what the commands do.
import { parseArgs } from 'node:util';
import { TidewayError } from '../base/errors.ts';
import { closest } from '../config/closest.ts';
import { configKeys } from '../config/schema.ts';

export type Invocation =
  | { readonly run: 'help'; readonly about: 'tideway' | 'start' }
  | { readonly run: 'version' }
  | {
      readonly run: 'start';
      readonly configPath: string | undefined;
      /** Configuration values by key path. */
      readonly flags: Readonly<Record<string, string>>;
    };

const COMMANDS = ['start', 'help'];

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
  config: { type: 'string', short: 'c' },
  ...Object.fromEntries(configKeys.map(({ path }) => [path, { type: 'string' }] as const)),
} as const;

/**
 * Reads the arguments; of a flag given twice the last counts.
 * @throws TidewayError `cli.usage`: an unknown command or flag, or a flag without its value
 */
export function parseInvocation(argv: readonly string[]): Invocation {
  const { tokens, positionals } = parseArgs({
    args: [...argv],
    options: OPTIONS,
    strict: false,
    tokens: true,
  });
  const flags: Record<string, string> = {};
  const asked = new Set<string>();
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    if (token.name === 'help' || token.name === 'version') {
      asked.add(token.name);
    } else if (!Object.hasOwn(OPTIONS, token.name)) {
      throw unknownFlag(token.rawName);
    } else if (token.value === undefined) {
      throw usage(`${token.rawName} needs a value`);
    } else {
      flags[token.name] = token.value;
    }
  }

  const [command, ...rest] = positionals;
  if (asked.has('version')) return { run: 'version' };
  if (command === 'help') return { run: 'help', about: rest[0] === 'start' ? 'start' : 'tideway' };
  if (asked.has('help')) return { run: 'help', about: command === 'start' ? 'start' : 'tideway' };
  if (command === undefined)
    throw usage('which command? "tideway start" runs a node, "tideway help" tells more');
  if (command !== 'start') throw unknownCommand(command);
  if (rest.length > 0) throw usage(`start takes flags only, not ${JSON.stringify(rest[0])}`);
  const { config: configPath, ...keys } = flags;
  return { run: 'start', configPath, flags: keys };
}

function unknownCommand(command: string): TidewayError {
  const guess = closest(command, COMMANDS);
  return usage(
    `no such command: ${JSON.stringify(command)}; ${guess ? `did you mean ${guess}?` : '"tideway help" lists all'}`,
  );
}

function unknownFlag(flag: string): TidewayError {
  const guess = closest(
    flag,
    Object.keys(OPTIONS).map((name) => `--${name}`),
  );
  return usage(
    `no such flag: ${flag}; ${guess ? `did you mean ${guess}?` : '"tideway start --help" lists all'}`,
  );
}

function usage(message: string): TidewayError {
  return new TidewayError('cli.usage', message);
}
