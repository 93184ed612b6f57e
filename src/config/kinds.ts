// The kinds of value that a configuration key can have: how each is checked, and the words for what it allows.
// Text is taken for numbers, sizes and booleans, because environment variables and flags have nothing else.
import { z } from 'zod';
import type { LogLevel } from '../base/log.ts';

export interface Kind<T> {
  readonly type: z.ZodType<T>;
  /** Completes "allowed: …" in an error line. */
  readonly allowed: string;
  readonly unit?: 'ms' | 'bytes';
  /** Its values are never repeated: neither in errors nor in logs. */
  readonly secret?: boolean;
}

const KIB = 1024;
export const MIB = 1024 * KIB;

/** A day; longer is never meant, and timers of Node end at 24.8 days. */
const MAX_MS = 86_400_000;
const MIN_BYTES = 64 * KIB;
const MIN_SECRET = 8;
const MAX_SECRET = 256;

const BYTES_OF_UNIT: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: KIB,
  MiB: MIB,
  GiB: 1024 * MIB,
};

function integer(min: number, max: number): z.ZodType<number> {
  return z.preprocess(numberOfText, z.int().min(min).max(max));
}

/** A whole number of things, at least 1. */
export const count: Kind<number> = {
  type: integer(1, 10_000_000),
  allowed: 'a whole number from 1 to 10000000',
};

export const port: Kind<number> = { type: integer(0, 65_535), allowed: 'a whole number from 0 to 65535' };

/** A duration in ms between two bounds. */
export function ms(min: number, max = MAX_MS): Kind<number> {
  return { type: integer(min, max), allowed: `a whole number of ms from ${min} to ${max}`, unit: 'ms' };
}

/** A number of bytes, also written like `8MiB`. */
export const bytes: Kind<number> = {
  type: z.preprocess(bytesOfText, z.int().min(MIN_BYTES)),
  allowed: `whole bytes, or a number with a unit like 8MiB or 64MB; at least ${MIN_BYTES} bytes`,
  unit: 'bytes',
};

export const boolean: Kind<boolean> = {
  type: z.preprocess((value) => (value === 'true' ? true : value === 'false' ? false : value), z.boolean()),
  allowed: 'true or false',
};

/** One of a few words. */
export function choice<const T extends string>(...words: T[]): Kind<T> {
  return { type: z.custom<T>((value) => words.some((word) => word === value)), allowed: words.join(', ') };
}

export const logLevel: Kind<LogLevel> = choice('trace', 'debug', 'info', 'warn', 'error', 'silent');

export const secret: Kind<string> = {
  type: z.string().min(MIN_SECRET).max(MAX_SECRET),
  allowed: `text of ${MIN_SECRET} to ${MAX_SECRET} characters`,
  secret: true,
};

export const nodeId: Kind<string> = {
  type: z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/),
  allowed: '1 to 64 of A-Z a-z 0-9 _ . -',
};

export const host: Kind<string> = {
  type: z.string().regex(/^[A-Za-z0-9_.:-]{1,253}$/),
  allowed: 'an IPv4 or IPv6 address, or a host name',
};

/** The registry's address; it may carry a password, so it is never repeated. */
export const registryUrl: Kind<string> = {
  type: z.string().refine((text) => text === 'memory:' || isRedisUrl(text)),
  allowed: 'memory:, redis://host:port/db or rediss://host:port/db',
  secret: true,
};

function isRedisUrl(text: string): boolean {
  if (!/^rediss?:\/\//.test(text) || !URL.canParse(text)) return false;
  return new URL(text).hostname !== '';
}

function numberOfText(value: unknown): unknown {
  return typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
}

function bytesOfText(value: unknown): unknown {
  const [, digits, unit = ''] =
    typeof value === 'string' ? (/^(\d{1,15}) ?([kKMG]?i?B?)$/.exec(value) ?? []) : [];
  const factor = BYTES_OF_UNIT[unit];
  return digits === undefined || factor === undefined ? value : Number(digits) * factor;
}
