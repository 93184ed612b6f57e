// The text of a configuration file, as settings with their line. Knows YAML, but not which keys exist.
import { isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import { ConfigError } from './config-error.ts';

/** One value that somebody gave, and where. */
export interface Setting {
  /** The key's path, `rtmp.port`, or whatever was written instead. */
  readonly path: string;
  /** A string, number or boolean; from a file also null (nothing after the colon), a list of those or of maps of
   * those and of lists of those, or `Unreadable`. */
  readonly value: unknown;
  /** For people: `config.yaml:12`, `TIDEWAY_RTMP_PORT` or `--rtmp.port`. */
  readonly from: string;
}

/** Stands for an alias, and for lists that are too long or too deep: no key takes them. */
export const Unreadable = Symbol('a list or an alias');

const MAX_ITEMS = 1_000;

/**
 * Reads YAML. Aliases are never followed, so a small file can't grow into a large one.
 * @throws ConfigError `config.syntax`, with a line for each mistake
 */
export function parseConfigFile(file: { readonly name: string; readonly text: string }): Setting[] {
  const lines = new LineCounter();
  const document = parseDocument(file.text, { lineCounter: lines, prettyErrors: false, logLevel: 'silent' });
  const at = (offset: number | undefined) => `${file.name}:${lines.linePos(offset ?? 0).line}`;

  const mistakes = [...document.errors, ...document.warnings];
  if (mistakes.length > 0) {
    throw new ConfigError(
      'config.syntax',
      mistakes.map(({ pos, message }) => `${at(pos[0])}: ${message.replaceAll(/\s+/g, ' ')}`),
    );
  }
  if (document.contents !== null && !isMap(document.contents) && !isEmpty(document.contents)) {
    throw new ConfigError('config.syntax', [`${at(0)}: a configuration is made of keys, like "rtmp:"`]);
  }
  const settings = settingsIn(document.contents, '', file.name, at);
  const twice = settings.filter(
    ({ path }, index) => settings.findIndex((other) => other.path === path) < index,
  );
  if (twice.length > 0) {
    throw new ConfigError(
      'config.syntax',
      twice.map(({ path, from }) => `${path} (${from}): given twice`),
    );
  }
  return settings;
}

function settingsIn(
  node: unknown,
  prefix: string,
  from: string,
  at: (offset: number | undefined) => string,
): Setting[] {
  if (isMap(node)) {
    return node.items.flatMap(({ key, value }) => {
      const name = isScalar(key) ? String(key.value) : '?';
      const path = prefix === '' ? name : `${prefix}.${name}`;
      return settingsIn(value, path, at(isScalar(key) ? key.range?.[0] : undefined), at);
    });
  }
  if (prefix === '') return [];
  return [{ path: prefix, value: isSeq(node) ? listIn(node.items) : plain(node), from }];
}

/** The items of a list, each a scalar, or a map of scalars and of lists of them. */
function listIn(items: readonly unknown[]): unknown {
  if (items.length > MAX_ITEMS) return Unreadable;
  const values = items.map((item) => {
    if (!isMap(item)) return plain(item);
    return Object.fromEntries(
      item.items.map(({ key, value }) => [
        isScalar(key) ? String(key.value) : '?',
        isSeq(value) ? value.items.slice(0, MAX_ITEMS).map(plain) : plain(value),
      ]),
    );
  });
  return values.includes(Unreadable) ? Unreadable : values;
}

function plain(node: unknown): unknown {
  return isScalar(node) ? node.value : node === null ? null : Unreadable;
}

function isEmpty(node: unknown): boolean {
  return isScalar(node) && node.value === null;
}
