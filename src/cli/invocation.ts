// What was typed after `tideway`, as a value. Knows names, not what the commands do.
import { parseArgs } from 'node:util';
import { isAddressOrNetwork } from '../auth/networks.ts';
import type { Action } from '../auth/rules.ts';
import { TidewayError } from '../base/errors.ts';
import { parseStreamKey, type StreamKey } from '../base/stream-key.ts';
import { closest } from '../config/closest.ts';
import { configKeys } from '../config/schema.ts';
import { STREAM_SORTS, type StreamSort } from './stream-sort.ts';
import type { TopView } from './top-screen.ts';

export type CommandName =
  | 'start'
  | 'status'
  | 'nodes'
  | 'links'
  | 'streams'
  | 'stream'
  | 'sessions'
  | 'kick'
  | 'alarms'
  | 'events'
  | 'traffic'
  | 'top'
  | 'why'
  | 'drain'
  | 'sign'
  | 'token'
  | 'hash-token';

/** How a running node is asked. */
export interface AskOptions {
  /** Undefined: the node of this machine. */
  readonly url: string | undefined;
  readonly token: string | undefined;
  /** The node's own answer instead of a table. */
  readonly isJson: boolean;
}

/** Parameters of a list of the API; those without a value are not sent. */
export type Query = Readonly<Record<string, string | undefined>>;

/** What is asked of the node, and whether its end is waited for. */
export type DrainOrder =
  | { readonly is: 'begin'; readonly deadlineSeconds: number | undefined; readonly waits: boolean }
  | { readonly is: 'undo' };

export type Invocation =
  | { readonly run: 'help'; readonly about: 'tideway' | CommandName }
  | { readonly run: 'version' }
  | { readonly run: 'token' | 'hash-token' }
  | {
      readonly run: 'start';
      readonly configPath: string | undefined;
      /** Configuration values by key path. */
      readonly flags: Readonly<Record<string, string>>;
    }
  | {
      /** Makes what lets somebody publish or play; asks no node. */
      readonly run: 'sign';
      readonly configPath: string | undefined;
      readonly action: Action;
      readonly key: StreamKey;
      readonly forSeconds: number;
      /** Undefined: it may be used from anywhere. */
      readonly address: string | undefined;
      /** Undefined: the first key. */
      readonly keyId: string | undefined;
      /** Undefined: the query alone is printed. */
      readonly url: string | undefined;
    }
  /** isQuiet: it is for the exit code. */
  | { readonly run: 'status'; readonly ask: AskOptions; readonly isQuiet: boolean }
  | { readonly run: 'nodes'; readonly ask: AskOptions }
  | {
      /** Lists of the API, and `why`: the query holds its parameters. */
      readonly run: 'links' | 'streams' | 'sessions' | 'alarms' | 'traffic' | 'why';
      readonly ask: AskOptions;
      readonly query: Query;
    }
  | { readonly run: 'stream'; readonly ask: AskOptions; readonly key: StreamKey }
  | { readonly run: 'kick'; readonly ask: AskOptions; readonly session: string }
  | { readonly run: 'events'; readonly ask: AskOptions; readonly query: Query; readonly follows: boolean }
  | {
      readonly run: 'top';
      readonly ask: AskOptions;
      readonly view: TopView;
      readonly limit: string;
      /** Undefined: until it is stopped. */
      readonly looks: number | undefined;
    }
  | { readonly run: 'drain'; readonly ask: AskOptions; readonly order: DrainOrder };

/** Flags that were given, without the dashes; of a switch the value is ''. */
type Flags = Readonly<Record<string, string>>;

interface Command {
  /** Flags that it takes, without the dashes. */
  readonly flags: readonly string[];
  /** The one thing that it takes besides flags, as its help writes it; undefined: nothing. */
  readonly operand?: { readonly name: string; readonly is: 'needed' | 'allowed'; readonly words?: number };
  /** @param operand '' where none was given */
  readonly read: (flags: Flags, operand: string) => Invocation;
}

const ASKING = ['url', 'token', 'json'];
const NODE_ID = /^[A-Za-z0-9_.-]{1,64}$/;
const SESSION_ID = /^[a-z0-9]{4,32}$/;
/** Streams that `top` asks for, unless it is told otherwise: more than a screen has. */
const TOP_LIMIT = '100';

const COMMANDS: Readonly<Record<CommandName, Command>> = {
  start: {
    flags: ['config', ...configKeys.map(({ path }) => path)],
    read: ({ config: configPath, ...flags }) => ({ run: 'start', configPath, flags }),
  },
  status: {
    flags: [...ASKING, 'quiet'],
    read: (flags) => ({ run: 'status', ask: askOptions(flags), isQuiet: 'quiet' in flags }),
  },
  nodes: {
    flags: ASKING,
    read: (flags) => ({ run: 'nodes', ask: askOptions(flags) }),
  },
  links: {
    flags: [...ASKING, 'node'],
    read: (flags) => ({ run: 'links', ask: askOptions(flags), query: { node: nodeId(flags) } }),
  },
  streams: {
    flags: [...ASKING, 'limit', 'sort', 'search'],
    operand: { name: 'app/name', is: 'allowed' },
    read: (flags, operand) => {
      if (operand === '') return { run: 'streams', ask: askOptions(flags), query: streamsQuery(flags) };
      const filter = ['limit', 'sort', 'search'].find((name) => name in flags);
      if (filter !== undefined) throw usage(`--${filter} is for the list, not for one stream`);
      return oneStream(flags, operand);
    },
  },
  stream: {
    flags: ASKING,
    operand: { name: 'app/name', is: 'needed' },
    read: oneStream,
  },
  sessions: {
    flags: [...ASKING, 'stream', 'node', 'kind', 'state', 'limit'],
    read: (flags) => ({ run: 'sessions', ask: askOptions(flags), query: sessionsQuery(flags) }),
  },
  kick: {
    flags: ASKING,
    operand: { name: 'session', is: 'needed' },
    read: (flags, operand) => {
      if (!SESSION_ID.test(operand))
        throw usage('kick wants the id of a session, as "tideway sessions" lists it');
      return { run: 'kick', ask: askOptions(flags), session: operand };
    },
  },
  alarms: {
    flags: [...ASKING, 'stream', 'node', 'limit'],
    read: (flags) => ({ run: 'alarms', ask: askOptions(flags), query: whereQuery(flags) }),
  },
  events: {
    flags: [...ASKING, 'stream', 'node', 'limit', 'follow'],
    read: (flags) => ({
      run: 'events',
      ask: askOptions(flags),
      query: whereQuery(flags),
      follows: 'follow' in flags,
    }),
  },
  traffic: {
    flags: [...ASKING, 'by', 'stream', 'node', 'limit'],
    read: (flags) => ({
      run: 'traffic',
      ask: askOptions(flags),
      query: { ...whereQuery(flags), by: oneOf('by', flags, TRAFFIC_KEYS) },
    }),
  },
  top: {
    flags: [...ASKING, 'sort', 'limit', 'count', 'nodes'],
    read: (flags) => ({
      run: 'top',
      ask: askOptions(flags),
      view: {
        rows: 'nodes' in flags ? 'nodes' : 'streams',
        sort: oneOf('sort', flags, SORT_NAMES) ?? 'players',
      },
      limit: wholeNumber('limit', flags) ?? TOP_LIMIT,
      looks: looksOf(flags),
    }),
  },
  why: {
    flags: [...ASKING, 'limit', 'cluster'],
    operand: { name: 'app/name', is: 'needed' },
    read: (flags, operand) => ({
      run: 'why',
      ask: askOptions(flags),
      query: {
        stream: streamKey(operand),
        scope: 'cluster' in flags ? 'cluster' : undefined,
        limit: wholeNumber('limit', flags),
      },
    }),
  },
  drain: {
    flags: [...ASKING, 'deadline', 'undo', 'wait'],
    read: (flags) => ({ run: 'drain', ask: askOptions(flags), order: drainOrder(flags) }),
  },
  sign: {
    flags: ['config', 'expires', 'address', 'key-id', 'url'],
    operand: { name: 'publish|play app/name', is: 'needed', words: 2 },
    read: signOrder,
  },
  token: {
    flags: [],
    read: () => ({ run: 'token' }),
  },
  'hash-token': {
    flags: [],
    read: () => ({ run: 'hash-token' }),
  },
};
/** Whose help tells of a flag that nobody knows. */
const DEFAULT_COMMAND: CommandName = 'start';
const DEFAULT_EXPIRES = '1h';
const SECONDS_OF_UNIT: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };
const SWITCHES: readonly string[] = [
  ...['help', 'version', 'json', 'undo', 'wait'],
  ...['quiet', 'follow', 'nodes', 'cluster'],
];
const SHORT: Readonly<Record<string, string>> = {
  ...{ help: 'h', version: 'v', config: 'c' },
  ...{ quiet: 'q', follow: 'f', count: 'n' },
};
const TRAFFIC_KEYS = ['node', 'stream', 'protocol', 'regions', 'all'] as const;
const SORT_NAMES = Object.keys(STREAM_SORTS) as StreamSort[];

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
  if (given === undefined) {
    if (operand.is === 'allowed') return '';
    throw usage(`${command} of what? "tideway ${command} ${operand.name}"`);
  }
  const words = [given, ...more.slice(0, (operand.words ?? 1) - 1)];
  if (words.length > more.length) return words.join(' ');
  throw usage(`${command} takes one ${operand.name}, not also ${JSON.stringify(more[0])}`);
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

function oneStream(flags: Flags, operand: string): Invocation {
  return { run: 'stream', ask: askOptions(flags), key: streamKey(operand) };
}

function streamsQuery(flags: Flags): Query {
  const sort = oneOf('sort', flags, SORT_NAMES);
  return {
    q: flags.search,
    sort: sort === undefined ? undefined : STREAM_SORTS[sort],
    limit: wholeNumber('limit', flags),
  };
}

function sessionsQuery(flags: Flags): Query {
  const state = oneOf('state', flags, ['open', 'ended', 'all']) ?? 'open';
  return {
    ...whereQuery(flags),
    kind: oneOf('kind', flags, ['publisher', 'player']),
    state: state === 'all' ? undefined : state,
  };
}

/** What of a list is wanted: of one stream, of one node, so many. */
function whereQuery(flags: Flags): Query {
  const { stream } = flags;
  return {
    stream: stream === undefined ? undefined : streamKey(stream),
    node: nodeId(flags),
    limit: wholeNumber('limit', flags),
  };
}

function nodeId({ node }: Flags): string | undefined {
  if (node !== undefined && !NODE_ID.test(node)) throw usage('--node wants the id of a node');
  return node;
}

function looksOf(flags: Flags): number | undefined {
  const count = wholeNumber('count', flags);
  return count === undefined ? undefined : Number(count);
}

function streamKey(text: string): StreamKey {
  const [app = '', name = '', ...more] = text.split('/');
  try {
    return parseStreamKey(app, more.length === 0 ? name : '');
  } catch (error) {
    if (!(error instanceof TidewayError)) throw error;
    throw usage(`${JSON.stringify(text)}: ${error.message}`);
  }
}

function wholeNumber(name: string, { [name]: text }: Flags): string | undefined {
  if (text !== undefined && !/^[1-9]\d{0,8}$/.test(text)) {
    throw usage(`--${name} wants a whole number, like 100`);
  }
  return text;
}

function oneOf<T extends string>(name: string, { [name]: text }: Flags, known: readonly T[]): T | undefined {
  if (text === undefined) return undefined;
  const found = known.find((word) => word === text);
  if (found !== undefined) return found;
  throw usage(`--${name} wants ${known.slice(0, -1).join(', ')} or ${known.at(-1)}`);
}

function askOptions({ url, token, json }: Flags): AskOptions {
  if (url !== undefined && !isHttpUrl(url)) {
    throw usage('--url wants the address of a node, like http://127.0.0.1:8080');
  }
  return { url, token, isJson: json !== undefined };
}

function drainOrder({ deadline, undo, wait }: Flags): DrainOrder {
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

function signOrder(flags: Flags, operand: string): Invocation {
  const [word = '', stream = ''] = operand.split(' ');
  const action = word === 'publish' || word === 'play' ? word : undefined;
  const { config: configPath, address, 'key-id': keyId, url, expires = DEFAULT_EXPIRES } = flags;
  if (action === undefined || stream === '') throw usage('sign what? "tideway sign publish|play app/name"');
  if (address !== undefined && !isAddressOrNetwork(address)) {
    throw usage('--address wants an address, or a network like 10.1.0.0/16');
  }
  if (url !== undefined && !isBaseUrl(url)) {
    throw usage('--url wants the address of a door, like rtmp://host or http://host:8080');
  }
  const key = streamKey(stream);
  return { run: 'sign', configPath, action, key, forSeconds: secondsOf(expires), address, keyId, url };
}

function secondsOf(text: string): number {
  const [, digits = '', unit = ''] = /^([1-9]\d{0,8})([smhd])$/.exec(text) ?? [];
  if (digits === '') throw usage('--expires wants a time like 90s, 30m, 1h or 7d');
  return Number(digits) * (SECONDS_OF_UNIT[unit] ?? 1);
}

/** The address of a door, without a query: what is signed makes the rest. */
function isBaseUrl(text: string): boolean {
  return /^(rtmps?|https?|wss?):\/\/[^/?#\s]+\/?$/i.test(text) && URL.canParse(text);
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
