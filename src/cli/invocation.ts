// What was typed after `tideway`, as a value. Knows names, not what the commands do.
import { parseArgs } from 'node:util';
import { TidewayError } from '../base/errors.ts';
import { closest } from '../config/closest.ts';
import { configKeys } from '../config/schema.ts';

export type CommandName = 'start' | 'nodes' | 'streams' | 'why' | 'drain';

/** How a running node is asked. */
export interface AskOptions {
  /** Undefined: the node of this machine. */
  readonly url: string | undefined;
  readonly token: string | undefined;
  /** The node's own answer instead of a table. */
  readonly isJson: boolean;
}

/** What is asked of the node, and whether its end is waited for. */
export type DrainOrder =
  | { readonly is: 'begin'; readonly deadlineSeconds: number | undefined; readonly waits: boolean }
  | { readonly is: 'undo' };

export type Invocation =
  | { readonly run: 'help'; readonly about: 'tideway' | CommandName }
  | { readonly run: 'version' }
  | {
      readonly run: 'start';
      readonly configPath: string | undefined;
      /** Configuration values by key path. */
      readonly flags: Readonly<Record<string, string>>;
    }
  | { readonly run: 'nodes'; readonly ask: AskOptions }
  | { readonly run: 'streams'; readonly ask: AskOptions; readonly limit: string | undefined }
  | {
      readonly run: 'why';
      /** `app/name`, as it was typed. */
      readonly stream: string;
      readonly ask: AskOptions;
      readonly limit: string | undefined;
    }
  | { readonly run: 'drain'; readonly ask: AskOptions; readonly order: DrainOrder };

interface Command {
  /** Flags that it takes, without the dashes. */
  readonly flags: readonly string[];
  /** The one thing that it wants besides flags, as its help writes it; undefined: nothing. */
  readonly operand?: string;
  /**
   * @param flags those that were given; of a switch the value is ''
   * @param operand '' for a command that takes none
   */
  readonly read: (flags: Readonly<Record<string, string>>, operand: string) => Invocation;
}

const COMMANDS: Readonly<Record<CommandName, Command>> = {
  start: {
    flags: ['config', ...configKeys.map(({ path }) => path)],
    read: ({ config: configPath, ...flags }) => ({ run: 'start', configPath, flags }),
  },
  nodes: {
    flags: ['url', 'token', 'json'],
    read: (flags) => ({ run: 'nodes', ask: askOptions(flags) }),
  },
  streams: {
    flags: ['url', 'token', 'json', 'limit'],
    read: (flags) => ({ run: 'streams', ask: askOptions(flags), limit: flags.limit }),
  },
  why: {
    flags: ['url', 'token', 'json', 'limit'],
    operand: 'app/name',
    read: (flags, stream) => ({ run: 'why', stream, ask: askOptions(flags), limit: flags.limit }),
  },
  drain: {
    flags: ['url', 'token', 'json', 'deadline', 'undo', 'wait'],
    read: (flags) => ({ run: 'drain', ask: askOptions(flags), order: drainOrder(flags) }),
  },
};
/** Whose help tells of a flag that nobody knows. */
const DEFAULT_COMMAND: CommandName = 'start';
const SWITCHES: readonly string[] = ['help', 'version', 'json', 'undo', 'wait'];
const SHORT: Readonly<Record<string, string>> = { help: 'h', version: 'v', config: 'c' };

const OPTIONS = Object.fromEntries(
  ['help', 'version', ...Object.values(COMMANDS).flatMap(({ flags }) => flags)].map((name) => {
    const short = SHORT[name];
    const type: 'boolean' | 'string' = SWITCHES.includes(name) ? 'boolean' : 'string';
    return [name, { type, ...(short !== undefined && { short }) }];
  }),
);

/** A flag as it was given: `rawName` with its dashes. */
interface Given {
  readonly name: string;
  readonly rawName: string;
  readonly value: string | undefined;
}

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
  const given: readonly Given[] = tokens.flatMap((token) => (token.kind === 'option' ? [token] : []));
  const [name, ...rest] = positionals;
  const command = isCommand(name) ? name : undefined;
  const flags = checkedFlags(given, command ?? DEFAULT_COMMAND);

  const [topic] = name === 'help' ? rest : [name];
  const about = isCommand(topic) ? topic : 'tideway';
  if ('version' in flags) return { run: 'version' };
  if (name === 'help' || 'help' in flags) return { run: 'help', about };
  if (name === undefined)
    throw usage('which command? "tideway start" runs a node, "tideway help" tells more');
  if (command === undefined) throw unknownCommand(name);
  return COMMANDS[command].read(flags, operandOf(command, rest));
}

function operandOf(command: CommandName, [given, ...more]: readonly string[]): string {
  const { operand } = COMMANDS[command];
  if (operand === undefined) {
    if (given === undefined) return '';
    throw usage(`${command} takes flags only, not ${JSON.stringify(given)}`);
  }
  if (given === undefined) throw usage(`${command} of what? "tideway ${command} ${operand}"`);
  if (more.length === 0) return given;
  throw usage(`${command} takes one ${operand}, not also ${JSON.stringify(more[0])}`);
}

function isCommand(name: string | undefined): name is CommandName {
  return name !== undefined && Object.hasOwn(COMMANDS, name);
}

function checkedFlags(given: readonly Given[], command: CommandName): Record<string, string> {
  const flags: Record<string, string> = {};
  for (const { name, rawName, value } of given) {
    if (!flagsOf(command).includes(name)) throw unknownFlag(rawName, command);
    const isSwitch = SWITCHES.includes(name);
    if (isSwitch && value !== undefined) throw usage(`${rawName} takes no value`);
    if (!isSwitch && value === undefined) throw usage(`${rawName} needs a value`);
    flags[name] = value ?? '';
  }
  return flags;
}

function flagsOf(command: CommandName): readonly string[] {
  return ['help', 'version', ...COMMANDS[command].flags];
}

function askOptions({ url, token, json }: Readonly<Record<string, string>>): AskOptions {
  if (url !== undefined && !isHttpUrl(url)) {
    throw usage('--url wants the address of a node, like http://127.0.0.1:8080');
  }
  return { url, token, isJson: json !== undefined };
}

function drainOrder({ deadline, undo, wait }: Readonly<Record<string, string>>): DrainOrder {
  const waits = wait !== undefined;
  if (undo !== undefined) {
    if (waits || deadline !== undefined) throw usage('--undo goes with neither --wait nor --deadline');
    return { is: 'undo' };
  }
  if (deadline !== undefined && !/^\d{1,9}$/.test(deadline)) {
    throw usage('--deadline wants a whole number of seconds, like 600');
  }
  return { is: 'begin', deadlineSeconds: deadline === undefined ? undefined : Number(deadline), waits };
}

function isHttpUrl(text: string): boolean {
  return /^https?:\/\//i.test(text) && URL.canParse(text);
}

function unknownCommand(command: string): TidewayError {
  const guess = closest(command, [...Object.keys(COMMANDS), 'help']);
  return usage(
    `no such command: ${JSON.stringify(command)}; ${guess ? `did you mean ${guess}?` : '"tideway help" lists all'}`,
  );
}

function unknownFlag(flag: string, command: CommandName): TidewayError {
  const guess = closest(
    flag,
    flagsOf(command).map((name) => `--${name}`),
  );
  return usage(
    `no such flag: ${flag}; ${guess ? `did you mean ${guess}?` : `"tideway ${command} --help" lists all`}`,
  );
}

function usage(message: string): TidewayError {
  return new TidewayError('cli.usage', message);
}
