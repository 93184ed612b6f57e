// The kinds of value that a configuration key can have: how each is checked, and the words for what it allows.
// Text is taken for numbers, sizes and booleans, because environment variables and flags have nothing else.
import { isIP } from 'node:net';
import { z } from 'zod';
import { isLabel } from '../base/label.ts';
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
const MIN_MESH_SECRET = 16;
const MAX_SECRET = 256;
const MAX_ADDRESSES = 8;
const MAX_PRIORITIES = 100;
const MAX_LEVEL = 10;
const MAX_TAGS = 16;
const MAX_PRICES = 1_000;
const MAX_NETWORKS = 1_000;
const MAX_PRELOADS = 100;
const MAX_SIGNING_KEYS = 8;
const MIN_SIGNING_SECRET = 16;
const MAX_AUTH_RULES = 100;
/** Ten years, s. */
const MAX_AHEAD_S = 315_360_000;
const MAX_PRICE = 1_000_000;
const MAX_WEIGHT = 100;

const namedLabel = z.string().refine(isLabel);
const STREAM_GLOB = /^[A-Za-z0-9_.*/-]{1,129}$/;
const regionOrAny = z.string().refine((text) => text === '*' || isLabel(text));

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

/** A number between two bounds, which may have a fraction. */
function decimal(min: number, max: number): z.ZodType<number> {
  return z.preprocess(decimalOfText, z.number().min(min).max(max));
}

/** The kind whose values are what the type makes of them. */
function kindOf<T>(type: z.ZodType<T>, allowed: string): Kind<T> {
  return { type, allowed };
}

/** A part of a whole, above 0. */
export const share: Kind<number> = {
  type: decimal(0.01, 1),
  allowed: 'a number from 0.01 to 1',
};

/** A part of a whole, or nothing of it. */
export const shareOrNone: Kind<number> = {
  type: decimal(0, 1),
  allowed: 'a number from 0 to 1',
};

/** How much one thing counts beside others; 0: not at all. */
export const weight: Kind<number> = {
  type: decimal(0, MAX_WEIGHT),
  allowed: `a number from 0 to ${MAX_WEIGHT}`,
};

/** A duration in s, for what operators wait for. */
export const seconds: Kind<number> = {
  type: integer(0, MAX_MS / 1000),
  allowed: `a whole number of seconds from 0 to ${MAX_MS / 1000}`,
};

/** A whole number of things, or none. */
export const countOrNone: Kind<number> = {
  type: integer(0, 10_000_000),
  allowed: 'a whole number from 0 to 10000000',
};

/** A whole number of things, at least 1. */
export const count: Kind<number> = {
  type: integer(1, 10_000_000),
  allowed: 'a whole number from 1 to 10000000',
};

export const port: Kind<number> = { type: integer(0, 65_535), allowed: 'a whole number from 0 to 65535' };

/** The port of a door that need not be open. */
export const portOrOff: Kind<number | 'off'> = {
  type: z.union([z.literal('off'), port.type]),
  allowed: `${port.allowed}, or off`,
};

/** A file. */
export const path: Kind<string> = {
  type: z.string().regex(/^[^\0]{1,4096}$/),
  allowed: 'the path of a file',
};

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

/** Text that is never repeated, of at least `min` characters. */
function secretOf(min: number): Kind<string> {
  return {
    type: z.string().min(min).max(MAX_SECRET),
    allowed: `text of ${min} to ${MAX_SECRET} characters`,
    secret: true,
  };
}

export const secret: Kind<string> = secretOf(MIN_SECRET);

/** Nodes prove it to each other over networks that anybody may listen to, so it has to be one that nobody guesses. */
export const meshSecret: Kind<string> = secretOf(MIN_MESH_SECRET);

export const nodeId: Kind<string> = {
  type: z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/),
  allowed: '1 to 64 of A-Z a-z 0-9 _ . -',
};

export const host: Kind<string> = {
  type: z.string().regex(/^[A-Za-z0-9_.:-]{1,253}$/),
  allowed: 'an IPv4 or IPv6 address, or a host name',
};

/** What a key takes that people put nodes into groups by; may be empty. */
export const label: Kind<string> = {
  type: z.union([z.literal(''), namedLabel]),
  allowed: 'up to 64 of A-Z a-z 0-9 _ . + -',
};

/** No braces, which are for Redis Cluster's hash tags, and nothing that a shell or an ACL pattern would read. */
export const keyPrefix: Kind<string> = {
  type: z.string().regex(/^[A-Za-z0-9:_.-]{1,32}$/),
  allowed: '1 to 32 of A-Z a-z 0-9 : _ . -',
};

/** Where others reach a door. */
export const address: Kind<string> = {
  type: z.string().refine(isAddress),
  allowed: 'host:port, an IPv6 address in brackets',
};

/** Where others reach a door that may speak TLS: a scheme in front says that it does, or does not, which is the default. */
function doorAddress(plain: string): Kind<string> {
  const scheme = new RegExp(`^${plain}s?://`);
  return {
    type: z.string().refine((text) => isAddress(text.replace(scheme, ''))),
    allowed: `host:port, ${plain}s://host:port where it speaks TLS; an IPv6 address in brackets`,
  };
}

export const httpAddress: Kind<string> = doorAddress('http');
export const rtmpAddress: Kind<string> = doorAddress('rtmp');

/** Addresses of one door, best first; text has commas between them. */
export const addresses: Kind<readonly string[]> = {
  type: z.preprocess(partsOfText, z.array(address.type).min(1).max(MAX_ADDRESSES)),
  allowed: `1 to ${MAX_ADDRESSES} of host:port, with commas between; an IPv6 address in brackets`,
};

/** Which streams go first (mesh/priority.ts); text is like `live/vip*=5,live/*=1`. */
export const priorities = kindOf(
  z.preprocess(
    prioritiesOfText,
    z
      .array(
        z.strictObject({
          match: z.string().regex(STREAM_GLOB),
          level: integer(-MAX_LEVEL, MAX_LEVEL),
        }),
      )
      .max(MAX_PRIORITIES),
  ),
  `up to ${MAX_PRIORITIES} rules like live/vip*=5,live/*=1, or a list of match and level; levels from -${MAX_LEVEL} to ${MAX_LEVEL}`,
);

/** Words that nodes are told apart by; text has commas between them. */
export const tags: Kind<readonly string[]> = {
  type: z.preprocess(partsOfText, z.array(namedLabel).max(MAX_TAGS).refine(areDistinct)),
  allowed: `up to ${MAX_TAGS} different words of A-Z a-z 0-9 _ . + -, with commas between`,
};

/** Prices of region pairs (routing/prices.ts); text is like `eu>us=0.02,*>ap=0.09`. */
export const prices = kindOf(
  z.preprocess(
    pricesOfText,
    z
      .array(z.strictObject({ from: regionOrAny, to: regionOrAny, price: decimal(0, MAX_PRICE) }))
      .max(MAX_PRICES)
      .refine((rules) => areDistinct(rules.map(({ from, to }) => `${from}>${to}`))),
  ),
  `up to ${MAX_PRICES} of from>to=price like eu>us=0.02,*>ap=0.09, or a list of from, to and price; no pair twice, prices from 0 to ${MAX_PRICE}`,
);

/** Networks, and the region of who comes from each (routing/place.ts); text is like `10.1.0.0/16=eu,2001:db8::/32=us`. */
export const networks = kindOf(
  z.preprocess(
    networksOfText,
    z
      .array(z.strictObject({ network: z.string().refine(isNetwork), region: namedLabel }))
      .max(MAX_NETWORKS)
      .refine((rules) => areDistinct(rules.map(({ network }) => network.toLowerCase()))),
  ),
  `up to ${MAX_NETWORKS} of network=region like 10.1.0.0/16=eu,2001:db8::/32=us, or a list of network and region; no network twice`,
);

/** Networks whose addresses have a meaning. */
export const networkList: Kind<readonly string[]> = {
  type: z.preprocess(partsOfText, z.array(z.string().refine(isNetwork)).min(1).max(MAX_NETWORKS)),
  allowed: `1 to ${MAX_NETWORKS} networks like 10.1.0.0/16, with commas between`,
};

/** Which streams are kept warm where (routing/preload-rules.ts); text is like `live/vip*=eu/us:2`. */
export const preloads = kindOf(
  z.preprocess(
    preloadsOfText,
    z
      .array(
        z.strictObject({
          match: z.string().regex(STREAM_GLOB),
          regions: z.array(namedLabel).min(1).max(32).refine(areDistinct),
          copies: z._default(integer(1, 16), 1),
        }),
      )
      .max(MAX_PRELOADS),
  ),
  `up to ${MAX_PRELOADS} rules like live/vip*=eu/us:2, or a list of match, regions and copies (1 to 16)`,
);

/** What signs URLs (auth/signed-url.ts), the key that new ones are signed with first; text is like `k2=secret,k1=secret`. */
export const signingKeys = {
  type: z.preprocess(
    signingKeysOfText,
    z
      .array(
        z.strictObject({
          id: z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/),
          secret: z.string().min(MIN_SIGNING_SECRET).max(MAX_SECRET),
        }),
      )
      .min(1)
      .max(MAX_SIGNING_KEYS)
      .refine((keys) => areDistinct(keys.map(({ id }) => id))),
  ),
  allowed: `1 to ${MAX_SIGNING_KEYS} of id=secret with commas between, or a list of id and secret; secrets of ${MIN_SIGNING_SECRET} to ${MAX_SECRET} characters, no id twice`,
  secret: true,
};

/** Who may publish what (auth/rules.ts); text is like `live/*=signed/jwt,test/*=open`. */
export const publishRules = authRules('none', 'open', 'secret', 'signed', 'jwt', 'webhook');

/** Who may play what. */
export const playRules = authRules('none', 'open', 'signed', 'jwt', 'webhook');

/** Which of some ways let people in to which streams. `none` and `open` stand alone. */
function authRules<const T extends string>(...ways: T[]) {
  const way = z.custom<T>((value) => ways.some((known) => known === value));
  const allow = z
    .array(way)
    .min(1)
    .refine((given) => areDistinct(given) && (given.length === 1 || !given.some((each) => isAlone(each))));
  return kindOf(
    z.preprocess(
      authRulesOfText,
      z
        .array(z.strictObject({ match: z.string().regex(STREAM_GLOB), allow }))
        .min(1)
        .max(MAX_AUTH_RULES),
    ),
    `up to ${MAX_AUTH_RULES} rules like live/*=signed/jwt, or a list of match and allow; of ${ways.join(', ')}, of which none and open stand alone`,
  );
}

/** How long what lets somebody in may be good for, s. */
export const aheadSeconds: Kind<number> = {
  type: integer(1, MAX_AHEAD_S),
  allowed: `a whole number of seconds from 1 to ${MAX_AHEAD_S}`,
};

/** What tokens name as who they are for. */
export const audience: Kind<string> = {
  type: z.string().min(1).max(256),
  allowed: 'text of 1 to 256 characters',
};

/** A secret that signs; it is to be one that nobody guesses. */
export const signingSecret: Kind<string> = secretOf(MIN_SIGNING_SECRET);

/** Where an operator's own server is; it may have a secret in its query, so it is never repeated. */
export const webhookUrl: Kind<string> = {
  type: z.string().max(2_048).refine(isWebhookUrl),
  allowed: 'http://host/path or https://host/path, without a user and a fragment',
  secret: true,
};

/** A header of HTTP requests. */
export const headerName: Kind<string> = {
  type: z.string().regex(/^[A-Za-z0-9-]{1,64}$/),
  allowed: 'the name of an HTTP header',
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

function isWebhookUrl(text: string): boolean {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return false;
  const { hostname, username, password, hash } = new URL(text);
  return hostname !== '' && username === '' && password === '' && hash === '';
}

function isAddress(text: string): boolean {
  const [, port] = /^(?:\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9_.-]{1,253}):(\d{1,5})$/.exec(text) ?? [];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
}

function partsOfText(value: unknown): unknown {
  return typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value;
}

function prioritiesOfText(value: unknown): unknown {
  return mapParts(value, (part) => {
    const [match, level, ...rest] = part.split('=').map((text) => text.trim());
    return rest.length > 0 ? undefined : { match, level };
  });
}

function pricesOfText(value: unknown): unknown {
  return mapParts(value, (part) => {
    const [, from, to, price] = /^([^>=]+)>([^>=]+)=([^>=]+)$/.exec(part) ?? [];
    return { from: from?.trim(), to: to?.trim(), price: price?.trim() };
  });
}

function networksOfText(value: unknown): unknown {
  return mapParts(value, (part) => {
    const [network, region, ...rest] = part.split('=').map((text) => text.trim());
    return rest.length > 0 ? undefined : { network, region };
  });
}

function preloadsOfText(value: unknown): unknown {
  return mapParts(value, (part) => {
    const [, match, regions, copies] = /^([^=]+)=([^:=]+)(?::(\d{1,3}))?$/.exec(part) ?? [];
    return {
      match: match?.trim(),
      regions: regions?.split('/').map((region) => region.trim()),
      ...(copies !== undefined && { copies }),
    };
  });
}

function signingKeysOfText(value: unknown): unknown {
  return mapParts(value, (part) => {
    const [, id, secret] = /^([^=]+)=(.+)$/.exec(part) ?? [];
    return { id: id?.trim(), secret: secret?.trim() };
  });
}

/** In a list, too, the ways of a rule may be text. */
function authRulesOfText(value: unknown): unknown {
  const rules = mapParts(value, (part) => {
    const [match, allow, ...rest] = part.split('=').map((text) => text.trim());
    return rest.length > 0 ? undefined : { match, allow };
  });
  if (!Array.isArray(rules)) return rules;
  return rules.map((rule: unknown) => {
    if (typeof rule !== 'object' || rule === null || !('allow' in rule)) return rule;
    const { allow } = rule;
    return typeof allow === 'string' ? { ...rule, allow: allow.split('/').map((way) => way.trim()) } : rule;
  });
}

function isAlone(way: string): boolean {
  return way === 'none' || way === 'open';
}

function mapParts(value: unknown, read: (part: string) => unknown): unknown {
  const parts = partsOfText(value);
  return Array.isArray(parts) && typeof value === 'string' ? parts.map(read) : value;
}

function areDistinct(texts: readonly string[]): boolean {
  return new Set(texts).size === texts.length;
}

function isNetwork(text: string): boolean {
  const [address = '', prefix = '', ...rest] = text.split('/');
  const family = isIP(address);
  return (
    rest.length === 0 &&
    family !== 0 &&
    /^\d{1,3}$/.test(prefix) &&
    Number(prefix) <= (family === 4 ? 32 : 128)
  );
}

function decimalOfText(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,9}(\.\d{1,9})?$/.test(value) ? Number(value) : value;
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
