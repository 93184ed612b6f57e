// What the node tells about itself over HTTP: health, metrics, and what is live. It asks narrow functions and owns
// no state.
import type { ServerResponse } from 'node:http';
import type { Reason } from '../base/errors.ts';
import { redirectResponse } from '../base/redirect.ts';
import type { StreamKey } from '../base/stream-key.ts';
import { answerJson } from './answer.ts';
import type { StatusAnswer } from './forms/nodes.ts';
import type { Route } from './route.ts';

export interface HealthNeeds {
  /** Why the node can't take publishers and players now; undefined: it can. */
  notReady(): Reason | undefined;
  /** What is wrong although it can. */
  trouble(): Reason | undefined;
  /** In the text format of Prometheus. */
  metricsText(): Promise<string>;
}

/** One stream that can be played. */
export interface StreamSummary {
  readonly key: StreamKey;
  readonly state: 'live' | 'held';
  readonly players: number;
  /** Codec names; undefined without such a track. */
  readonly video: string | undefined;
  readonly audio: string | undefined;
  /** When its publisher came, ms since 1970. */
  readonly sinceWallMs: number;
}

export interface WatchNeeds {
  streams(): readonly StreamSummary[];
  /** Where publishers go, for the hints; asked each time, as the port may be any free one. */
  rtmpPort(): number;
  /** What a publisher has to put behind a stream key. @param asked what was asked for; undefined, or no key: any stream */
  publishHint(asked: string | undefined): StatusAnswer['publishHint'];
}

/** `/healthz`, `/readyz` and `/metrics`. */
export function healthRoutes(needs: HealthNeeds): Route[] {
  const routes: Route[] = [
    get('/healthz', (response) => answerJson(response, 200, { status: 'ok' })),
    get('/readyz', (response) => {
      const why = needs.notReady();
      if (why) return answerJson(response, 503, { status: 'not ready', ...told(why) });
      answerJson(response, 200, { status: 'ready', ...told(needs.trouble()) });
    }),
    {
      ...get('/metrics', async (response) => {
        const text = await needs.metricsText();
        response.writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' });
        response.end(text);
      }),
      // Not for pages of others, which may be open where the node can be reached: it names streams.
      isPrivate: true,
    },
  ];
  return routes.map((route) => ({ ...route, isVital: true }));
}

/** The list that the watch page shows, and the ways to it. */
export function watchRoutes(needs: WatchNeeds): Route[] {
  return [
    get('/', (response) => redirectResponse(response, '/watch/')),
    get('/watch', (response) => redirectResponse(response, '/watch/')),
    get('/watch/streams', (response, { searchParams }) => {
      answerJson(response, 200, {
        rtmpPort: needs.rtmpPort(),
        publishHint: needs.publishHint(searchParams.get('publish') ?? undefined),
        streams: needs.streams().map(({ sinceWallMs, ...stream }) => ({
          ...stream,
          since: new Date(sinceWallMs).toISOString(),
          playPath: `/${stream.key}.flv`,
        })),
      });
    }),
  ];
}

function told(why: Reason | undefined): { code?: string; detail?: string } {
  return why ? { code: why.code, detail: why.message } : {};
}

function get(path: string, answer: (response: ServerResponse, url: URL) => void | Promise<void>): Route {
  return {
    methods: ['GET', 'HEAD'],
    matches: (asked) => asked === path,
    handle: (_request, response, url) => answer(response, url),
  };
}
