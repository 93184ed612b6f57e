// What operators tell a node over its API: `/api/v1/node/drain`. What is done comes from a narrow interface; who may ask is
// api-access.ts's.
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { answerJson } from './answer.ts';
import { ApiAccess } from './api-access.ts';
import { readJson } from './json-body.ts';
import type { Route } from './route.ts';

/** Of a drain that names none. */
export const DEFAULT_DEADLINE_S = 3_600;
export const MAX_DEADLINE_S = 86_400;

/** A drain as it is told: who is left, and how long they may stay. */
export interface DrainAnswer {
  readonly node: string;
  /** `drained`: nobody was left, or the deadline has passed. */
  readonly state: 'serving' | 'draining' | 'drained';
  /** When the drain began, ISO 8601; null while the node serves. */
  readonly since: string | null;
  /** Until players and publishers are ended, ms; null while the node serves. */
  readonly deadlineMs: number | null;
  readonly players: number;
  /** Those that stand by among them. */
  readonly publishers: number;
  /** Streams that other nodes pull from it. */
  readonly children: number;
}

export interface DrainControl {
  state(): DrainAnswer;
  /** @throws TidewayError `node.stopping` */
  begin(deadlineMs: number): void;
  /** @throws TidewayError `node.stopping` */
  undo(): void;
}

const drainBody = z.strictObject({
  deadlineSeconds: z.number().min(0).max(MAX_DEADLINE_S).default(DEFAULT_DEADLINE_S),
});

/**
 * The route that drains a node, and takes it back; for this machine and for who has the token.
 * @param options.token of `api.token`
 */
export function drainRoute(
  options: { token: string | undefined },
  { clock, drain }: { clock: Clock; drain: DrainControl },
): Route {
  return new ApiAccess(options).guard({
    methods: ['GET', 'HEAD', 'POST', 'DELETE'],
    matches: (path) => path === '/api/v1/node/drain',
    handle: async (request, response) => {
      if (request.method === 'POST') {
        const { deadlineSeconds } = await readJson({ request, response }, drainBody, clock);
        drain.begin(deadlineSeconds * 1000);
      } else if (request.method === 'DELETE') {
        drain.undo();
      }
      answerJson(response, 200, drain.state());
    },
  });
}
