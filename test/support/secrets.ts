// What no log line may hold: the secrets that a node of a test was given. Looked for in all lines, when the node stops.
import { configKeys } from '../../src/config/schema.ts';

/** Shorter ones could stand in a line by chance. */
const MIN_CHARS = 8;

/**
 * Throws if a line holds a secret that is among the settings.
 * @param settings values by key path
 */
export function expectNoSecrets(settings: Readonly<Record<string, string>>, lines: readonly object[]): void {
  const secrets = Object.entries(settings).flatMap(([path, value]) => secretsIn(path, value));
  if (secrets.length === 0) return;
  const leak = lines
    .map((line) => JSON.stringify(line))
    .find((text) => secrets.some((secret) => text.includes(secret)));
  if (leak !== undefined) throw new Error(`a secret of the node is in its log: ${leak}`);
}

function secretsIn(path: string, value: string): string[] {
  // Addresses; a password would be the part before the @.
  if (path === 'registry.url') return /:\/\/[^@]*:([^@]+)@/.exec(value)?.slice(1) ?? [];
  const key = configKeys.find((known) => known.path === path);
  if (key?.secret !== true) return [];
  const parts = path === 'auth.keys' ? value.split(',').map((part) => part.replace(/^[^=]*=/, '')) : [value];
  return parts.filter((secret) => secret.length >= MIN_CHARS);
}
