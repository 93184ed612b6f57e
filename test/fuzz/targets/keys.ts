// Stream keys: parsed from what RTMP, HTTP and the registry bring, and held against a second reading of the rule.
import { parseStreamKey, RESERVED_APPS } from '../../../src/base/stream-key.ts';
import { readStreamKey } from '../../../src/registry/records.ts';
import { connectTarget, streamTarget } from '../../../src/rtmp/stream-name.ts';
import { rule, type Target, wordsOf } from '../engine/target.ts';
import { outcomeOf } from './outcome.ts';

const CHARS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-';

/** The rule of design §1, written down once more. */
export function isStreamKey(text: string): boolean {
  const parts = text.split('/');
  return parts.length === 2 && isKeyOf(parts[0] ?? '', parts[1] ?? '');
}

function isKeyOf(app: string, name: string): boolean {
  const isPart = (part: string) =>
    part.length >= 1 &&
    part.length <= 64 &&
    [...part].every((char) => CHARS.includes(char)) &&
    part[0] !== '.' &&
    !part.includes('..');
  return isPart(app) && isPart(name) && !/\.flv$/i.test(name) && !RESERVED_APPS.has(app);
}

export const streamKeys: Target = {
  name: 'stream-keys',
  covers: ['src/base/stream-key.ts', 'src/rtmp/stream-name.ts'],
  maxBytes: 400,
  words: wordsOf(
    '/',
    '..',
    '.flv',
    '.FLV',
    'live',
    'api',
    'watch',
    '?',
    'flv:',
    'mp4:',
    '\n',
    '\0',
    '%2f',
    'a'.repeat(63),
  ),
  run(input) {
    const text = input.toString('utf8');
    const at = text.indexOf('/');
    const [app, name] = at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
    const parsed = outcomeOf(() => parseStreamKey(app, name));
    const isKey = isKeyOf(app, name);
    rule((parsed.code === undefined) === isKey, `parsed: ${parsed.code ?? 'a key'}, by the rule: ${isKey}`);
    rule((readStreamKey(text) !== undefined) === isStreamKey(text), 'the registry reads the key otherwise');

    const target = outcomeOf(() => connectTarget(new Map([['app', app]])));
    if (target.code !== undefined) return;
    const stream = outcomeOf(() => streamTarget(target.value, name));
    if (stream.code === undefined) rule(isStreamKey(stream.value.key), `${stream.value.key} is no key`);
  },
};
