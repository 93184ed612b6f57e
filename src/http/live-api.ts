// `/api/v1/events` for who listens: Server-Sent Events (HTML §9.2) on a response that goes on. It writes and counts what
// waits; what is told, and when it is over, is a narrow interface's.
import type { ServerResponse } from 'node:http';
import type { z } from 'zod';
import { remoteOfRequest } from '../base/marked-request.ts';
import type { StreamKey } from '../base/stream-key.ts';
import type { Handlers } from './api-operations.ts';
import { topic } from './forms/live.ts';

export type Topic = z.output<typeof topic>;

/** What somebody listens to. */
export interface LiveWish {
  readonly topics: ReadonlySet<Topic>;
  /** The stream whose tree is told, too. */
  readonly stream: StreamKey | undefined;
}

/** Who listens. */
export interface LiveCaller {
  /** Of its token, or `loopback`: one caller has some of the places only. */
  readonly name: string;
  /** Would it be let in by the configuration as it is now? */
  isStillAdmitted(): boolean;
}

/** Where it is written. */
export interface LiveSink {
  /** "address:port" of who listens. */
  readonly remote: string;
  /** Written, and not taken by the kernel yet. */
  readonly backlogBytes: number;
  /** Dropped when it is over. */
  write(text: string): void;
  /** It is told that this is all. Calm when repeated. */
  end(): void;
  /** At once, with what waits. */
  cut(): void;
}

export interface LiveFeed {
  /**
   * @returns to be called once when who listens has gone
   * @throws TidewayError `api.too-many-listeners`, `api.too-many-of-caller`, `node.stopping`
   */
  listen(wish: LiveWish, sink: LiveSink, caller: LiveCaller): () => void;
}

/** Takes who listens. */
export function liveHandler(feed: LiveFeed): Handlers['events'] {
  return ({ request, response, query, caller: { name }, isStillAdmitted }) => {
    const topics = new Set(query.topics ?? topic.options);
    const sink = new ResponseSink(response, remoteOfRequest(request));
    if (request.method === 'HEAD') {
      sink.begin();
      sink.end();
      return 'taken';
    }
    const gone = feed.listen({ topics, stream: query.stream }, sink, { name, isStillAdmitted });
    response.once('close', gone);
    return 'taken';
  };
}

class ResponseSink implements LiveSink {
  readonly remote: string;
  readonly #response: ServerResponse;

  constructor(response: ServerResponse, remote: string) {
    this.#response = response;
    this.remote = remote;
  }

  get backlogBytes(): number {
    return this.#response.writableLength;
  }

  begin(): void {
    this.#response.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      // nginx would keep events back until it has many.
      'X-Accel-Buffering': 'no',
    });
  }

  write(text: string): void {
    if (!this.#response.headersSent) this.begin();
    if (this.#response.writable) this.#response.write(text);
  }

  end(): void {
    this.#response.end();
  }

  cut(): void {
    this.#response.destroy();
  }
}
