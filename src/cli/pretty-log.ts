// The log for people at a terminal: one line for each event, with its name, its stream and its fields. What is logged, and
// how many lines may wait, is base/log.ts's.
import pretty from 'pino-pretty';
import { escapeOf } from './safe-text.ts';

/** Told at the start of a line, or of no use to who looks at one node. */
const SAID_ELSEWHERE: readonly string[] = ['time', 'level', 'node', 'event', 'stream', 'err'];
/** What JSON leaves as it is, and terminals may take for an order. */
const CONTROL = /[\u007f-\u009f\u2028\u2029]/g;
/** Text that can stand without quotes. */
const PLAIN = /^[\w.:/@+,-]+$/;

/**
 * A line of JSON as a line for people, with what ends it.
 * @param options.colors the terminal shows them
 */
export function prettyLine({ colors }: { readonly colors: boolean }): (line: string) => string {
  return pretty.prettyFactory({
    colorize: colors,
    messageKey: 'event',
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'node',
    hideObject: true,
    messageFormat: (fields) => sentence(fields),
  });
}

/** `publish.start live/show session=… epoch=7`; what others wrote is quoted, so that it stays within its line. */
function sentence(fields: Readonly<Record<string, unknown>>): string {
  const told = Object.entries(fields)
    .filter(([name, value]) => value !== undefined && !SAID_ELSEWHERE.includes(name))
    .map(([name, value]) => `${name}=${spelled(value)}`);
  const stream = typeof fields.stream === 'string' ? [spelled(fields.stream)] : [];
  return [spelled(fields.event), ...stream, ...told].join(' ') + stackOf(fields.err);
}

/** Behind the line, each of its own lines indented: none looks like one of the log. */
function stackOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('stack' in error)) return '';
  const lines = String(error.stack).split('\n');
  return lines
    .map((line) => `\n    ${JSON.stringify(line).slice(1, -1).replace(CONTROL, escapeOf)}`)
    .join('');
}

function spelled(value: unknown): string {
  if (typeof value === 'string' && PLAIN.test(value)) return value;
  return (JSON.stringify(value) ?? '').replace(CONTROL, escapeOf);
}
