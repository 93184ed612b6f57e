// Figures as people read them: short, with their unit, in the digits of a table. Pure.
import { CODEC_NAMES } from '../watch/codec-names.ts';

const STEP = 1000;
const BIT_UNITS = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s'] as const;
const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;
/** What is shown for what nobody knows. */
export const NOTHING = '–';

/** `1.24 Mbit/s` */
export function bits(perS: number | null | undefined): string {
  return scaled(perS, BIT_UNITS);
}

/** The same of bytes a second. */
export function bitsOfBytes(bytesPerS: number | null | undefined): string {
  return bits(bytesPerS === null || bytesPerS === undefined ? bytesPerS : bytesPerS * 8);
}

/** `12.4 MB` */
export function bytes(count: number | null | undefined): string {
  return scaled(count, BYTE_UNITS);
}

/** `12,345` */
export function count(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  return Math.round(value).toLocaleString('en-US');
}

/** `1 player`, `2 players` */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `42 %` of a share from 0 to 1. */
export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return NOTHING;
  const value = share * 100;
  return `${value > 0 && value < 10 ? trimmed(value, 1) : Math.round(value)} %`;
}

/** `0.8 ms`, `12 ms`, `1.5 s` */
export function millis(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  const size = Math.abs(value);
  if (size < 10) return `${trimmed(value, 1)} ms`;
  if (size < 1000) return `${Math.round(value)} ms`;
  return size < 60_000 ? `${trimmed(value / 1000, 1)} s` : span(value);
}

/** `45 s`, `3 min`, `2 h 5 min`, `3 d 4 h` */
export function span(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return NOTHING;
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return parts(hours, 'h', minutes % 60, 'min');
  return parts(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

/** `14:03:27`, by the reader's own clock. */
export function clockTime(wallMs: number): string {
  return new Date(wallMs).toLocaleTimeString('en-GB', { hour12: false });
}

/** `14:03:27`, with the day where it is another one. */
export function moment(iso: string, nowWallMs: number): string {
  const wallMs = Date.parse(iso);
  if (Number.isNaN(wallMs)) return NOTHING;
  const time = clockTime(wallMs);
  const isToday = new Date(wallMs).toDateString() === new Date(nowWallMs).toDateString();
  return isToday ? time : `${new Date(wallMs).toISOString().slice(0, 10)} ${time}`;
}

/** How long ago, in ms; null for what is no time. Clocks of two machines differ: never below 0. */
export function agoMs(iso: string | null, nowWallMs: number): number | null {
  const wallMs = iso === null ? Number.NaN : Date.parse(iso);
  return Number.isNaN(wallMs) ? null : Math.max(0, nowWallMs - wallMs);
}

/** `H.264 + AAC` */
export function codecs(...names: readonly (string | null | undefined)[]): string {
  const known = names.flatMap((name) => (name ? (CODEC_NAMES[name] ?? name) : []));
  return known.length === 0 ? NOTHING : known.join(' + ');
}

/** `1280 × 720` */
export function size(width: number | null | undefined, height: number | null | undefined): string {
  return width && height ? `${width} × ${height}` : NOTHING;
}

/** `29.97 fps` */
export function frames(perS: number | null | undefined): string {
  return perS === null || perS === undefined || !Number.isFinite(perS) ? NOTHING : `${trimmed(perS, 1)} fps`;
}

/** A price, without a currency: the configuration has none. */
export function cost(value: number): string {
  if (value === 0) return '0';
  return value < 0.01 ? '< 0.01' : value.toLocaleString('en-US', { maximumFractionDigits: 2 });
}

function scaled(value: number | null | undefined, units: readonly string[]): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  let rest = value;
  let unit = 0;
  // 999.95 would be written as 1,000 of the smaller unit.
  while (Math.abs(rest) >= STEP - 0.5 && unit < units.length - 1) {
    rest /= STEP;
    unit += 1;
  }
  const digits = unit === 0 || Math.abs(rest) >= 100 ? 0 : Math.abs(rest) >= 10 ? 1 : 2;
  return `${trimmed(rest, digits)} ${units[unit]}`;
}

/** Without zeros at the end, as the eye counts them for precision. */
function trimmed(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)));
}

function parts(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}
