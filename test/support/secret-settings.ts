// The secrets among the settings of a node. Apart from secrets.ts, which every test file has: the schema takes time to load.
import { configKeys } from '../../src/config/schema.ts';
import { MIN_SECRET_CHARS } from './secrets.ts';

/** Those that are long enough to be looked for. @param settings by key path */
export function secretsOf(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings)
    .flatMap(([path, value]) => secretsIn(path, value))
    .filter((secret) => secret.length >= MIN_SECRET_CHARS);
}

function secretsIn(path: string, value: string): string[] {
  if (configKeys.find((known) => known.path === path)?.secret !== true) return [];
  switch (path) {
    case 'registry.url':
      // An address; a password would be the part before the @.
      return /:\/\/[^@]*:([^@]+)@/.exec(value)?.slice(1) ?? [];
    case 'auth.webhook.url':
      return [value, ...(URL.canParse(value) ? new URL(value).searchParams.values() : [])];
    case 'auth.keys':
      return value.split(',').map((part) => part.replace(/^[^=]*=/, ''));
    case 'api.tokens':
      return value.split(',').map((part) => part.replace(/^.*:/, ''));
    default:
      return [value];
  }
}
