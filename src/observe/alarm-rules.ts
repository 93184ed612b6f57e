// When something is wrong with a stream: pure. Each rule reads what a node sees of it, and says what was measured against
// which bound. What becomes of that is alarms.ts's.

export const ALARM_KINDS = ['stalled', 'no-key-frame', 'bitrate-collapsed', 'hop-slow'] as const;
export type AlarmKind = (typeof ALARM_KINDS)[number];

export interface AlarmLimits {
  readonly stalledMs: number;
  readonly noKeyFrameMs: number;
  /** 0: bitrate raises none. */
  readonly bitrateShare: number;
  readonly hopMs: number;
}

/** The way between two nodes. */
export interface Hop {
  readonly from: string;
  readonly to: string;
}

/** What is measured, and from where on it is bad. */
export interface Reading {
  readonly value: number;
  readonly limit: number;
  readonly unit: 'ms' | 'bit/s';
  /** On which side of the limit it is bad. */
  readonly badWhen: 'above' | 'below';
  /** Undefined: it is about the publisher. */
  readonly hop: Hop | undefined;
}

/**
 * What a replica's parent has for it: `more` frames than came, `nothing` newer, or `unknown`, since not a byte comes of it, or
 * it is gone and nobody else was found.
 */
export type ParentHas = 'more' | 'nothing' | 'unknown';

/** What a node sees of a live stream. */
export interface StreamSigns {
  /** Undefined at the origin. */
  readonly parent: { readonly node: string; readonly has: ParentHas } | undefined;
  readonly self: string;
  readonly silentMs: number;
  /** The usual pause between frames, ms; 0 if not known. */
  readonly usualIntervalMs: number;
  /** Since the last key frame; undefined without video, or before the first. */
  readonly keyAgeMs: number | undefined;
  readonly bitsPerS: number;
  /** Between two frames, within the time that this rate is of. */
  readonly longestGapMs: number;
  /** NaN: not known. */
  readonly usualBitsPerS: number;
  /** Of the way from the parent, ms; undefined before it is known. */
  readonly hopDelayMs: number | undefined;
}

/** A stream of few frames is not stalled in the pauses that it usually makes. */
const STALLED_PAUSES = 3;

export interface Rule {
  /** Undefined: there is nothing to be judged. */
  readonly read: (signs: StreamSigns, limits: AlarmLimits) => Reading | undefined;
  /** What is wrong, in one line, for people. */
  readonly say: (signs: StreamSigns) => string;
}

export const RULES: Readonly<Record<AlarmKind, Rule>> = {
  stalled: {
    /** Where a node's parent has no more itself, it is the parent's matter, or the publisher's. */
    read: (signs, { stalledMs }) => {
      const { parent, silentMs } = signs;
      if (parent?.has === 'nothing') return undefined;
      return inMs(silentMs, stalledAfterMs(signs, stalledMs), hopOf(signs));
    },
    say: ({ parent, self, silentMs }) => {
      const forS = (silentMs / 1000).toFixed(1);
      if (!parent) return `no frame came from its publisher for ${forS} s`;
      const more = parent.has === 'more' ? `, although ${parent.node} has more of it` : '';
      return `no frame came from ${parent.node} to ${self} for ${forS} s${more}`;
    },
  },

  'no-key-frame': {
    /** The publisher's matter; while no frame comes at all, it is stalled. */
    read: (signs, { noKeyFrameMs }) => {
      const { parent, keyAgeMs } = signs;
      if (parent || keyAgeMs === undefined || isStalled(signs)) return undefined;
      return inMs(keyAgeMs, noKeyFrameMs, undefined);
    },
    say: ({ keyAgeMs = 0 }) => {
      return `its publisher sent no key frame for ${Math.round(keyAgeMs / 1000)} s: nobody can join it`;
    },
  },

  'bitrate-collapsed': {
    /** A rate with a stall in it is of the stall, which had an alarm of its own. */
    read: (signs, { bitrateShare, stalledMs }) => {
      const { parent, bitsPerS: value, usualBitsPerS, longestGapMs } = signs;
      if (parent || bitrateShare === 0 || !(usualBitsPerS > 0) || isStalled(signs)) return undefined;
      if (longestGapMs > stalledAfterMs(signs, stalledMs)) return undefined;
      return { value, limit: usualBitsPerS * bitrateShare, unit: 'bit/s', badWhen: 'below', hop: undefined };
    },
    say: ({ bitsPerS, usualBitsPerS }) => {
      const [now, before] = [bitsPerS, usualBitsPerS].map((bits) => Math.round(bits / 1000));
      return `its publisher sends ${now} kbit/s; in the minute before it was ${before}`;
    },
  },

  'hop-slow': {
    read: (signs, { hopMs }) => {
      const { parent, hopDelayMs } = signs;
      return parent && hopDelayMs !== undefined ? inMs(hopDelayMs, hopMs, hopOf(signs)) : undefined;
    },
    say: ({ parent, self, hopDelayMs = 0 }) =>
      `frames take ${Math.round(hopDelayMs)} ms from ${parent?.node} to ${self}`,
  },
};

/** How long a reading is bad before it raises an alarm, and good before that ends, ms. */
export const PATIENCE: Readonly<Record<AlarmKind, { readonly badMs: number; readonly goodMs: number }>> = {
  stalled: { badMs: 0, goodMs: 1_000 },
  'no-key-frame': { badMs: 0, goodMs: 0 },
  // Its rate is of the last 5 s already.
  'bitrate-collapsed': { badMs: 0, goodMs: 2_000 },
  'hop-slow': { badMs: 2_000, goodMs: 2_000 },
};

/** Beyond the limit it is bad; it is good only so much on this side of it. */
const GOOD_SHARE = 0.8;
/** Longer without a frame than that, other rules have nothing to say. */
const SILENT_MS = 1_000;

export function isBad({ value, limit, badWhen }: Reading): boolean {
  return badWhen === 'above' ? value > limit : value < limit;
}

export function isGood({ value, limit, badWhen }: Reading): boolean {
  return badWhen === 'above' ? value <= limit * GOOD_SHARE : value >= limit / GOOD_SHARE;
}

function stalledAfterMs({ usualIntervalMs }: StreamSigns, stalledMs: number): number {
  return Math.max(stalledMs, STALLED_PAUSES * usualIntervalMs);
}

function isStalled({ silentMs, usualIntervalMs }: StreamSigns): boolean {
  return silentMs > Math.max(SILENT_MS, STALLED_PAUSES * usualIntervalMs);
}

function hopOf({ parent, self }: StreamSigns): Hop | undefined {
  return parent && { from: parent.node, to: self };
}

function inMs(value: number, limit: number, hop: Hop | undefined): Reading {
  return { value, limit, unit: 'ms', badWhen: 'above', hop };
}
