// One stream that this node has others have ready: for which causes, and who was asked for each. It decides who is to be
// asked now; preload.ts says when, and tells them.
import type { StreamKey } from '../base/stream-key.ts';
import type { PreloadRow } from '../http/preload-api.ts';
import { type Aim, nodesFor } from '../routing/preload-rules.ts';

/** A node that was asked and does not have the stream, though it is live, is given up after so long. */
export const GIVE_UP_MS = 15_000;
/** And not asked again for so long. */
const PASS_OVER_MS = 60_000;

export type Cause = PreloadRow['for'];

/** What a lookup found of the stream. */
export interface FoundCopies {
  readonly isLive: boolean;
  /** Nodes that have it, the origin among them. */
  readonly holders: readonly string[];
  /** Are they all there are? */
  readonly isComplete: boolean;
}

/** What is asked of the rest of the node when somebody is chosen. */
export interface TaskNeeds {
  readonly nowMs: number;
  /** This node. */
  readonly self: { readonly node: string; readonly region: string };
  /** The node that feeds this one with the stream. */
  readonly upstream: string | undefined;
  /** Why a node can't be asked for a copy in the region (undefined: in any), in words; undefined: it can. */
  readonly whyNot: (node: string, region?: string) => string | undefined;
  /** The best node of the region (undefined: of any). */
  readonly choose: (region: string | undefined, except: ReadonlySet<string>) => string | undefined;
}

/** How a node that was asked does. */
interface Asked {
  isReady: boolean;
  missingSinceMs: number | undefined;
}

/** Copies that are to be ready for one cause, and who was asked for them. */
interface Part {
  readonly cause: Cause;
  readonly aim: Aim;
  /** They, and nobody else. */
  readonly named: readonly string[] | undefined;
  asked: Map<string, Asked>;
  missing: number;
}

/** What became of the choice. */
export interface Settled {
  /** Asked from now on, and for what. */
  readonly added: readonly {
    readonly node: string;
    readonly cause: Cause;
    readonly region: string | undefined;
  }[];
  /** No longer asked by this stream for anything. */
  readonly dropped: readonly { readonly node: string; readonly why: 'over' | 'gone' | 'never-ready' }[];
}

export class PreloadTask {
  readonly key: StreamKey;
  #parts: Part[] = [];
  /** Nodes that were given up, and until when; as many as were asked within PASS_OVER_MS. */
  readonly #passedOver = new Map<string, number>();
  /** When the order of the API runs out. */
  orderUntilMs: number | undefined;
  /** When who is asked is looked at again; when the registry is asked for that; when all are told again. */
  settleMs = 0;
  lookupMs = 0;
  renewMs = Number.POSITIVE_INFINITY;
  isLooking = false;
  /** `changes` of the nodes when it was held against them last. */
  nodesSeen = -1;
  /** Was it live when it was looked up last? */
  isLive = true;

  constructor(key: StreamKey) {
    this.key = key;
  }

  get isEmpty(): boolean {
    return this.#parts.length === 0;
  }

  /** Is anybody to have it ready longer than an order says? */
  get outlastsOrder(): boolean {
    return this.#parts.some(({ cause }) => cause !== 'order');
  }

  /** Copies for which there is no node. */
  get missing(): number {
    return this.#parts.reduce((sum, { missing }) => sum + missing, 0);
  }

  /** Do all who were asked have it? */
  get isReady(): boolean {
    for (const { asked } of this.#parts) {
      for (const { isReady } of asked.values()) if (!isReady) return false;
    }
    return true;
  }

  has(cause: Cause): boolean {
    return this.#parts.some((part) => part.cause === cause);
  }

  /** Everybody who was asked, once. */
  asked(): Set<string> {
    return new Set(this.#parts.flatMap(({ asked }) => [...asked.keys()]));
  }

  /** Has somebody who was asked gone, or begun to leave? */
  hasLost(whyNot: TaskNeeds['whyNot']): boolean {
    for (const { asked, aim } of this.#parts) {
      for (const node of asked.keys()) if (whyNot(node, aim.region) !== undefined) return true;
    }
    return false;
  }

  /** Copies for a cause, in place of those before; who was asked for those is the first to be asked for these. */
  aimFor(cause: Cause, aims: readonly { readonly aim: Aim; readonly named?: readonly string[] }[]): void {
    const before = this.#parts.filter((part) => part.cause === cause).flatMap(({ asked }) => [...asked]);
    const parts = aims.map(({ aim, named }) => ({
      ...{ cause, aim, named, missing: 0 },
      asked: new Map(before.map(([node, asked]) => [node, { ...asked }])),
    }));
    this.#parts = [...this.#parts.filter((part) => part.cause !== cause), ...parts];
    this.settleMs = 0;
    this.lookupMs = 0;
  }

  /** Nothing more for a cause. @returns those who were asked for it, and for nothing else */
  drop(cause: Cause): string[] {
    const before = this.asked();
    this.#parts = this.#parts.filter((part) => part.cause !== cause);
    const now = this.asked();
    return [...before].filter((node) => !now.has(node));
  }

  /** Chooses anew. @param found undefined: it was not looked up, or the registry is away */
  settle(needs: TaskNeeds, found: FoundCopies | undefined): Settled {
    const { nowMs, whyNot } = needs;
    for (const [node, untilMs] of this.#passedOver) if (untilMs <= nowMs) this.#passedOver.delete(node);
    if (found) {
      this.isLive = found.isLive;
      this.#mark(found, nowMs);
    }
    const before = this.asked();
    const added: Settled['added'][number][] = [];
    for (const part of this.#parts) {
      const { cause, aim, asked } = part;
      const chosen = this.#chosen(part, needs, found);
      for (const node of chosen ?? []) {
        if (!asked.has(node)) added.push({ node, cause, region: aim.region });
      }
      const isHolder = (node: string) => found?.holders.includes(node) ?? false;
      const fresh = (node: string): Asked => ({ isReady: isHolder(node), missingSinceMs: undefined });
      part.asked = new Map((chosen ?? []).map((node) => [node, asked.get(node) ?? fresh(node)]));
      part.missing = chosen ? aim.copies - chosen.length : 0;
    }
    const now = this.asked();
    const dropped = [...before]
      .filter((node) => !now.has(node))
      .map((node) => {
        if (this.#passedOver.has(node)) return { node, why: 'never-ready' as const };
        return { node, why: whyNot(node) === undefined ? ('over' as const) : ('gone' as const) };
      });
    return { added, dropped };
  }

  /** For lists. */
  rows(whyNot: TaskNeeds['whyNot']): PreloadRow[] {
    return this.#parts.map(({ cause, aim, named, asked, missing }) => ({
      for: cause,
      region: aim.region ?? null,
      copies: aim.copies,
      nodes: [...asked].map(([node, { isReady }]) => ({ node, ready: isReady })),
      missing,
      why: missing > 0 ? { code: 'preload.no-node', message: whyMissing(aim, named, whyNot) } : null,
    }));
  }

  /** Undefined: nobody is needed. */
  #chosen(
    { cause, aim, named, asked }: Part,
    { self, upstream, whyNot, choose }: TaskNeeds,
    found: FoundCopies | undefined,
  ): string[] | undefined {
    const common = {
      asked: [...asked.keys()],
      isFit: (node: string) => whyNot(node, aim.region) === undefined,
    };
    if (named) {
      const isFit = (node: string) => named.includes(node) && common.isFit(node);
      const next = (except: ReadonlySet<string>) => named.find((node) => !except.has(node) && isFit(node));
      return nodesFor(aim, { ...common, isFit, holders: [], except: [], choose: next });
    }
    const passedOver = [...this.#passedOver.keys()];
    const choosing = (except: ReadonlySet<string>) => choose(aim.region, except);
    // Who was asked for another cause, or has the stream anyway, costs nothing more.
    const holders = [...this.asked(), ...(found?.holders ?? [])];
    if (cause === 'order') {
      return nodesFor(aim, { ...common, holders, except: passedOver, choose: choosing });
    }
    if (cause === 'rule') {
      return nodesFor(aim, { ...common, holders, except: [self.node, ...passedOver], choose: choosing });
    }
    const except = [self.node, ...(upstream === undefined ? [] : [upstream]), ...passedOver];
    const isOther = (node: string) => common.isFit(node) && !except.includes(node);
    if (!common.asked.some(isOther) && (!found || found.holders.some(isOther))) return undefined;
    const near = (but: ReadonlySet<string>) => choose(self.region, but) ?? choose(undefined, but);
    return nodesFor(aim, { ...common, holders: [], except, choose: near });
  }

  /** Who has it, and who is given up. */
  #mark({ isLive, holders, isComplete }: FoundCopies, nowMs: number): void {
    for (const { asked } of this.#parts) {
      for (const [node, how] of asked) {
        how.isReady = holders.includes(node);
        if (how.isReady || !isLive || !isComplete) {
          how.missingSinceMs = undefined;
          continue;
        }
        how.missingSinceMs ??= nowMs;
        if (nowMs - how.missingSinceMs >= GIVE_UP_MS) this.#passedOver.set(node, nowMs + PASS_OVER_MS);
      }
    }
  }
}

function whyMissing(
  { region }: Aim,
  named: readonly string[] | undefined,
  whyNot: TaskNeeds['whyNot'],
): string {
  if (!named) {
    return region === undefined
      ? 'there is no other node that takes streams'
      : `region ${region} has no other node that takes streams`;
  }
  const words = named.flatMap((node) => {
    const why = whyNot(node);
    return why === undefined ? [] : [`node ${node} ${why}`];
  });
  return words.join(', ');
}
