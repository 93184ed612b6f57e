// One pino logger per node: levels, one event per line, secrets redacted.
import { type DestinationStream, pino } from 'pino';

/** What classes ask for: an event name (docs/events.md) and its fields. */
export interface Log {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
  error(fields: object, event: string): void;
}

/** A log whose level can be changed. */
export interface LevelledLog extends Log {
  level: string;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** A reader of our log that stands still costs this much memory; lines beyond it are dropped. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;

/** Field names whose values never reach a log, at the top or one level down. */
const SECRET_FIELDS: readonly string[] = [
  'secret',
  'password',
  'token',
  'query',
  'url',
  'tcUrl',
  'authorization',
];

/** Is the value of this field never to be shown? */
export function isSecretField(name: string): boolean {
  return SECRET_FIELDS.includes(name);
}

export type TappedLevel = 'info' | 'warn' | 'error';
/** Told of each line as it is logged; never throws. */
export type LogTap = (level: TappedLevel, fields: object, event: string) => void;

/** The log, with somebody who is told of its lines above debug, those that are left out for their level, too. */
export function tapped(log: Log, tap: LogTap): Log {
  const of = (level: TappedLevel) => (fields: object, event: string) => {
    log[level](fields, event);
    tap(level, fields, event);
  };
  return {
    debug: (fields, event) => log.debug(fields, event),
    info: of('info'),
    warn: of('warn'),
    error: of('error'),
  };
}

/** Lines on their way to standard output; nobody waits for them. */
export function standardOutput(): DestinationStream {
  return pino.destination({ dest: 1, sync: false, maxLength: MAX_BUFFERED_BYTES });
}

/**
 * @param options.level lines below it are left out
 * @param options.node the node's id, on each line
 * @param destination where lines go; standard output by default
 */
export function createLog(
  options: { level: LogLevel; node: string },
  destination?: DestinationStream,
): LevelledLog {
  return pino(
    {
      level: options.level,
      base: { node: options.node },
      messageKey: 'event',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]),
    },
    destination ?? standardOutput(),
  );
}
