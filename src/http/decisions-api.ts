// Why nodes were chosen: `/api/v1/decisions`, the last decisions of the node that is asked, newest first.
import type { Clock } from '../base/clock.ts';
import type { Considered, Filtered } from '../routing/choose.ts';
import { type Decision, type Decisions, MAX_DECISIONS, type Recorded } from '../routing/decisions.ts';
import type { Place } from '../routing/node-view.ts';
import type { ParentCost } from '../routing/upstream-cost.ts';
import { answerJson } from './answer.ts';
import { ApiAccess } from './api-access.ts';
import { limitIn, streamIn } from './api-query.ts';
import type { Route } from './route.ts';

/** Rows without `?limit=`, and at most. */
export const DEFAULT_DECISIONS = 50;
export const MOST_DECISIONS = MAX_DECISIONS;

export interface DecisionRow {
  /** Counts up within a process. */
  readonly id: number;
  /** ISO 8601, by the clock of the node. */
  readonly time: string;
  readonly kind: Decision['kind'];
  /** Null where it was about no stream. */
  readonly stream: string | null;
  /** Of who asked; null where the node itself did. */
  readonly place: Place | null;
  /** The node that was chosen; null: none was left. */
  readonly node: string | null;
  /** In one line, for people. */
  readonly why: string;
  /** Nodes that could have been chosen, best first; of `upstream` none, since those are `parents`. */
  readonly considered: readonly Considered[];
  readonly filtered: readonly Filtered[];
  /** Nodes that the stream could be pulled from, cheapest first; of `upstream` only. */
  readonly parents: readonly ParentCost[];
}

export interface DecisionsAnswer {
  /** The node that answers, and decided. */
  readonly node: string;
  /** ISO 8601, by its clock. */
  readonly asOf: string;
  readonly decisions: readonly DecisionRow[];
}

export interface DecisionsNeeds {
  readonly node: string;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly decisions: Pick<Decisions, 'list'>;
}

/**
 * The route of the API, for this machine and for who has the token.
 * @param options.token of `api.token`
 */
export function decisionsRoute(options: { token: string | undefined }, needs: DecisionsNeeds): Route {
  const { node, clock, decisions } = needs;
  return new ApiAccess(options).guard({
    methods: ['GET', 'HEAD'],
    matches: (path) => path === '/api/v1/decisions',
    handle: (_request, response, { searchParams }) => {
      const limit = limitIn(searchParams, { usual: DEFAULT_DECISIONS, most: MOST_DECISIONS });
      const found = decisions.list(limit, streamIn(searchParams));
      const answer: DecisionsAnswer = { node, asOf: isoOf(clock.wallMs()), decisions: found.map(rowOf) };
      answerJson(response, 200, answer);
    },
  });
}

function rowOf({ id, atWallMs, decision }: Recorded): DecisionRow {
  const { kind, stream, node, why } = decision;
  const isUpstream = kind === 'upstream';
  return {
    ...{ id, time: isoOf(atWallMs), kind, stream: stream ?? null },
    place: isUpstream ? null : decision.place,
    ...{ node: node ?? null, why },
    considered: isUpstream ? [] : decision.considered,
    filtered: isUpstream ? [] : decision.filtered,
    parents: isUpstream ? decision.parents : [],
  };
}

function isoOf(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
