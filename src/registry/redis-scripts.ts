// The Lua scripts of the Redis driver, as text. They lie beside this file, in src and in dist alike.
import { readFileSync } from 'node:fs';

/** Each script of lua/, and how many KEYS it takes. */
export const SCRIPT_KEYS = {
  'backup-delete': 1,
  'backup-put': 1,
  beat: 3,
  claim: 2,
  leave: 2,
  lookup: 4,
  nodes: 1,
  release: 2,
  renew: 2,
  'replica-delete': 1,
  'replica-put': 1,
} as const;

export type ScriptName = keyof typeof SCRIPT_KEYS;
export const SCRIPT_NAMES = Object.keys(SCRIPT_KEYS) as ScriptName[];

/** Whole scripts, as they are sent to Redis. */
export type RedisScripts = Readonly<Record<ScriptName, string>>;

export function loadScripts(): RedisScripts {
  const common = read('common');
  const texts = SCRIPT_NAMES.map((name) => [name, `${common}\n${read(name)}`] as const);
  return Object.fromEntries(texts) as RedisScripts;
}

function read(name: string): string {
  return readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8');
}
