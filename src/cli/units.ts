// Numbers as people read them. Pure.

/** Nobody knows, or it does not apply. */
export const NONE = '-';

/** How long ago or for how long, in its largest whole unit: `12 s`, `2 m`, `3 h`, `9 d`. */
export function durationText(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86_400)} d`;
}

/** From one moment to a later one, both ISO 8601. */
export function sinceText(from: string, to: string): string {
  return durationText(Date.parse(to) - Date.parse(from));
}

/** `0.4 ms`, `12 ms`, `1.5 s`. */
export function msText(ms: number | null): string {
  if (ms === null) return NONE;
  const size = Math.abs(ms);
  if (size < 9.95) return `${ms.toFixed(1)} ms`;
  return size < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** `0.3 Mbit/s`, `12 Mbit/s`: all of a column in one unit, one place below 10. */
export function mbitText(bitsPerS: number | null): string {
  if (bitsPerS === null) return NONE;
  return `${shortNumber(bitsPerS / 1e6)} Mbit/s`;
}

/** `96 kbit/s`, `2.0 Mbit/s`: of one stream or track. */
export function bitrateText(bitsPerS: number): string {
  return bitsPerS < 999_500 ? `${Math.round(bitsPerS / 1000)} kbit/s` : mbitText(bitsPerS);
}

/** `512 B`, `1.5 MB`, `2.0 GB`: powers of 1,000. */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  const units = ['kB', 'MB', 'GB', 'TB', 'PB'];
  // 999,950 bytes are 1.0 MB, not 1000 kB.
  const at = Math.min(
    units.length - 1,
    units.findIndex((_, power) => bytes < 999.5 * 1000 ** (power + 1)),
  );
  const chosen = at < 0 ? units.length - 1 : at;
  return `${shortNumber(bytes / 1000 ** (chosen + 1))} ${units[chosen]}`;
}

export function percentText(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** `eu/a`: a region and its zone, as far as they are told. */
export function placeText(region = '', zone = ''): string {
  return [region, zone].filter((part) => part !== '').join('/') || NONE;
}

/** `1 node`, `2 nodes`. */
export function counted(count: number, one: string, more: string): string {
  return `${count} ${count === 1 ? one : more}`;
}

/** One place below 10. */
function shortNumber(value: number): string {
  return value.toFixed(value < 9.95 ? 1 : 0);
}
