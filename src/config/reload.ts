// What becomes of a node's configuration when it is read again: what can take effect at once does, the rest stays as it was
// and is named. Pure.
import { isDeepStrictEqual } from 'node:util';
import { type Config, configKeys } from './schema.ts';

export interface Reloading {
  /** What the node goes on with: of keys that need a restart, what it was started with. */
  readonly config: Config;
  /** Paths of keys that changed. */
  readonly changed: readonly string[];
  /** Paths of keys that would change, if the node was started again. */
  readonly needsRestart: readonly string[];
}

/**
 * @param now what is in effect
 * @param read what was read
 */
export function reloading(now: Config, read: Config): Reloading {
  const differing = configKeys.filter(
    ({ path }) => !isDeepStrictEqual(valueAt(now, path), valueAt(read, path)),
  );
  const live = differing.filter(({ isLive }) => isLive);
  const config: Record<string, unknown> = structuredClone(now);
  for (const { path } of live) put(config, path, valueAt(read, path));
  return {
    config: config as unknown as Config,
    changed: live.map(({ path }) => path),
    needsRestart: differing.filter(({ isLive }) => !isLive).map(({ path }) => path),
  };
}

function valueAt(config: unknown, path: string): unknown {
  return namesIn(path).reduce((section, name) => Reflect.get(section as object, name), config);
}

function put(config: object, path: string, value: unknown): void {
  const names = namesIn(path);
  const last = names.pop() ?? path;
  const section = names.reduce<object>((within, name) => Reflect.get(within, name), config);
  Reflect.set(section, last, value);
}

function namesIn(path: string): string[] {
  return path.split('.');
}
