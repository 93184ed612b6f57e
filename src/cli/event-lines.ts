// Events of the cluster as lines, oldest first, as a log has them. Pure.
import type { EventRow } from '../http/forms/alarms.ts';
import { type Paint, plain, type Tone } from './paint.ts';
import { safeText } from './safe-text.ts';

const TONES: Readonly<Record<EventRow['level'], Tone | undefined>> = {
  info: undefined,
  warn: 'warn',
  error: 'bad',
};

/** @param events newest first, as the API lists them */
export function eventsText(events: readonly EventRow[], paint: Paint = plain): string {
  if (events.length === 0) return 'no events\n';
  return events
    .toReversed()
    .map((event) => eventLine(event, paint))
    .join('');
}

/** Time, node, level, event, stream, and its fields by name. */
export function eventLine(
  { time, node, level, event, stream, fields }: EventRow,
  paint: Paint = plain,
): string {
  const tone = TONES[level];
  const name = safeText(event);
  const parts = [
    paint(safeText(time), 'dim'),
    safeText(node),
    level,
    tone === undefined ? name : paint(name, tone),
    ...(stream === null ? [] : [safeText(stream)]),
    ...Object.entries(fields).map(([key, value]) => safeText(`${key}=${valueText(value)}`)),
  ];
  return `${parts.join(' ')}\n`;
}

/** Quoted where one could not tell where it ends. */
function valueText(value: string | number | boolean): string {
  return typeof value === 'string' && !/^[^\s"=]+$/.test(value) ? JSON.stringify(value) : String(value);
}
