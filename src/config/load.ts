// From what an operator wrote to a checked configuration: file < environment < flags. All mistakes are reported
// at once, a line each, with the key's path, where it was written, what was given and what is allowed.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { closest } from './closest.ts';
import { ConfigError } from './config-error.ts';
import { parseConfigFile, type Setting, Unreadable } from './config-file.ts';
import { type Config, type ConfigKey, configKeys, configSchema } from './schema.ts';

/** Where values come from; a later one wins: file, environment, flags. */
export interface ConfigSources {
  readonly file?: { readonly name: string; readonly text: string } | undefined;
  /** Variables that don't start with `TIDEWAY_` are left alone; empty ones count as not set. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** By key path, without the dashes. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Makes the default of `node.id`. */
  readonly newNodeId?: () => string;
}

const MAX_SHOWN_CHARS = 60;

/** Kubernetes sets these for a service named tideway; they are nobody's configuration. */
const SERVICE_LINK =
  /^TIDEWAY(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP)(_\w+)?)?)$/;

/**
 * Merges and checks; reads no file, no environment and no clock.
 * @throws ConfigError `config.syntax` or `config.invalid`; no secret is repeated in it
 */
export function loadConfig(sources: ConfigSources = {}): Config {
  const settings = [
    ...(sources.file ? parseConfigFile(sources.file) : []),
    ...environmentSettings(sources.env ?? {}),
    ...flagSettings(sources.flags ?? {}),
  ].filter(({ value }) => value !== null);

  const problems = settings.flatMap((setting) => problemWith(setting) ?? []);
  if (problems.length > 0) throw new ConfigError('config.invalid', problems);

  const given = new Map(settings.map(({ path, value }) => [path, value]));
  if (!given.has('node.id')) given.set('node.id', (sources.newNodeId ?? newNodeId)());
  if (!given.has('publish.holdAfterStopMs')) {
    given.set('publish.holdAfterStopMs', given.get('publish.holdMs'));
  }
  const config = configSchema.parse(nested(given));
  const conflicts = conflictsIn(config);
  if (conflicts.length > 0) throw new ConfigError('config.invalid', conflicts);
  return config;
}

/**
 * `loadConfig` with the file read from disk.
 * @throws ConfigError as `loadConfig`, or `config.unreadable`
 */
export async function readConfig(
  sources: Omit<ConfigSources, 'file'> & { readonly path: string | undefined },
): Promise<Config> {
  const { path, ...others } = sources;
  if (path === undefined) return loadConfig(others);
  return loadConfig({ ...others, file: { name: path, text: await textOf(path) } });
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? cause.code : 'unknown error';
    throw new ConfigError('config.unreadable', [`${path}: this file can't be read (${reason})`], { cause });
  }
}

function environmentSettings(env: NonNullable<ConfigSources['env']>): Setting[] {
  return Object.entries(env).flatMap(([name, value]) => {
    if (!name.startsWith('TIDEWAY_') || value === undefined || value === '') return [];
    const key = configKeys.find(({ env: known }) => known === name);
    if (!key && SERVICE_LINK.test(name)) return [];
    return { path: key?.path ?? name, value, from: name };
  });
}

function flagSettings(flags: NonNullable<ConfigSources['flags']>): Setting[] {
  return Object.entries(flags).map(([path, value]) => ({ path, value, from: `--${path}` }));
}

function problemWith({ path, value, from }: Setting): string | undefined {
  const key = configKeys.find((known) => known.path === path);
  if (key) {
    if (key.accepts(value)) return undefined;
    return `${path} (${from}): ${shown(value, key)} is not allowed; allowed: ${key.allowed}`;
  }
  const inside = configKeys.filter((known) => known.path.startsWith(`${path}.`));
  if (inside.length > 0) {
    return `${path} (${from}): a section, not a value; its keys: ${inside.map((known) => known.path).join(', ')}`;
  }
  return unknownKey(path, from);
}

/** What is wrong with values that are allowed, but not together. */
function conflictsIn(config: Config): string[] {
  const { registry, mesh, node, routing, api } = config;
  const conflicts = [...tlsConflicts(config), ...authConflictsIn(config)];
  if (api.requireToken && api.token === undefined && (api.tokens ?? []).length === 0) {
    conflicts.push('api.requireToken: nobody has a token: give api.token or api.tokens, too');
  }
  if (registry.url !== 'memory:' && mesh.secret === undefined) {
    const why = 'a node of a cluster needs the secret that its nodes know each other by';
    conflicts.push(`mesh.secret: ${why}: make one with "openssl rand -hex 32", and give all nodes the same`);
  }
  if (node.zone !== '' && node.region === '') {
    conflicts.push(`node.zone: ${node.zone} is a zone of no region: give node.region, too`);
  }
  if (Object.values(routing.weights).every((weight) => weight === 0)) {
    conflicts.push('routing.weights: all are 0, so that no node is better than another: raise one of them');
  }
  for (const { from, to, price } of routing.prices ?? []) {
    if (from !== to || from === '*' || price === 0) continue;
    conflicts.push(`routing.prices: ${from}>${to}=${price}: within a region nothing is priced`);
  }
  return conflicts;
}

/** Rules of who may publish and play that nothing is there for, and what no rule asks for. */
function authConflictsIn({ auth, publish }: Config): string[] {
  const conflicts: string[] = [];
  const { secret, publicKeyFile } = auth.jwt;
  const isThere: Readonly<Record<string, { readonly key: string; readonly given: boolean }>> = {
    secret: { key: 'publish.secret', given: publish.secret !== undefined },
    signed: { key: 'auth.keys', given: auth.keys !== undefined },
    webhook: { key: 'auth.webhook.url', given: auth.webhook.url !== undefined },
    jwt: { key: 'auth.jwt.secret or auth.jwt.publicKeyFile', given: (secret ?? publicKeyFile) !== undefined },
  };
  for (const action of ['publish', 'play'] as const) {
    for (const { match, allow } of auth[action] ?? []) {
      const lacking = allow.map((way) => isThere[way]).find((need) => need?.given === false);
      if (lacking)
        conflicts.push(`auth.${action}: ${match}=${allow.join('/')} needs ${lacking.key}: give it, too`);
    }
  }
  if (secret !== undefined && publicKeyFile !== undefined) {
    conflicts.push(
      'auth.jwt: tokens are signed with one kind of key: give secret or publicKeyFile, not both',
    );
  }
  if (auth.webhook.url !== undefined && auth.webhook.secret === undefined) {
    const why = 'the server is to know whom it hears';
    conflicts.push(`auth.webhook.secret: ${why}: make one with "openssl rand -hex 32", and give it to both`);
  }
  const asksSecret = auth.publish?.some(({ allow }) => allow.includes('secret')) ?? true;
  if (publish.secret !== undefined && !asksSecret) {
    const why = 'with auth.publish it counts only where a rule says so';
    conflicts.push(`publish.secret: ${why}: add secret to a rule, or leave it out`);
  }
  return conflicts;
}

function tlsConflicts({ tls, mesh, http, https, rtmps }: Config): string[] {
  const conflicts: string[] = [];
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    conflicts.push('tls.cert, tls.key: a certificate and its key go together: give both');
  }
  const { cert, key, ca } = mesh.tls;
  const given = [cert, key, ca].filter((file) => file !== undefined).length;
  if (given > 0 && given < 3) {
    conflicts.push(
      'mesh.tls: a certificate, its key and what others are signed by go together: give all three',
    );
  }
  for (const [name, { port }] of Object.entries({ https, rtmps })) {
    if (port === undefined || tls.cert !== undefined) continue;
    conflicts.push(`${name}.port: it needs a certificate: give tls.cert and tls.key, too`);
  }
  if (http.port === 'off' && https.port === undefined) {
    conflicts.push(
      'http.port: off without https.port leaves no port for health and the API: give one of them',
    );
  }
  return conflicts;
}

function unknownKey(path: string, from: string): string {
  const isVariable = path === from;
  const names = configKeys.map((key) => (isVariable ? key.env : key.path));
  const guess = closest(path, names);
  const where = isVariable || from === `--${path}` ? from : `${path} (${from})`;
  const name = from === `--${path}` && guess ? `--${guess}` : guess;
  return `${where}: no such key; ${name ? `did you mean ${name}?` : '"tideway start --help" lists all'}`;
}

/** The value as it may be repeated: on one line, short, and never a secret. */
function shown(value: unknown, key: ConfigKey): string {
  if (value === Unreadable || Array.isArray(value)) return 'a list or an alias';
  if (key.secret) return 'this value (not shown)';
  const text = JSON.stringify(value);
  return text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}…` : text;
}

/** `{ 'rtmp.port': 1 }` to `{ rtmp: { port: 1 } }`, with every section present. */
function nested(values: ReadonlyMap<string, unknown>): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const { path } of configKeys) {
    const names = path.split('.');
    const last = names.pop() ?? path;
    let section = root;
    for (const name of names) {
      section[name] ??= {};
      section = section[name] as Record<string, unknown>;
    }
    section[last] = values.get(path);
  }
  return root;
}

function newNodeId(): string {
  const host = hostname()
    .replaceAll(/[^A-Za-z0-9_.-]/g, '-')
    .slice(0, 59);
  return `${host}-${randomBytes(2).toString('hex')}`;
}
