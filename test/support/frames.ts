// What a player received, or a file holds, as comparable frames.
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { WebSocket } from 'ws';
import { FlvReader, type FlvTag } from '../../src/format/flv.ts';

/** One media message as it came. */
export interface SeenFrame {
  readonly kind: number;
  readonly timestamp: number;
  /** SHA-1 of the payload, in hex. */
  readonly hash: string;
  readonly payload: Buffer;
  /** When it came, monotonic ms. */
  readonly atMs: number;
}

export function seen(tag: { kind: number; timestamp: number; payload: Buffer }): SeenFrame {
  return {
    kind: tag.kind,
    timestamp: tag.timestamp,
    hash: createHash('sha1').update(tag.payload).digest('hex'),
    payload: tag.payload,
    atMs: performance.now(),
  };
}

/** The frames of a whole FLV. */
export function framesOf(flv: Buffer): SeenFrame[] {
  return new FlvReader().push(flv).map((tag: FlvTag) => seen(tag));
}

/** A player that keeps what it gets, until it is closed or the stream ends. */
export interface CapturedPlay {
  readonly frames: readonly SeenFrame[];
  /** HTTP status of the answer; 0 before there is one. */
  readonly status: number;
  /** How it ended; undefined while it plays. */
  readonly ended: { readonly code: number } | undefined;
  close(): void;
}

/** Plays HTTP-FLV. */
export function captureHttpFlv(url: string, options: { readonly ca?: string } = {}): CapturedPlay {
  const reader = new FlvReader();
  const capture = {
    frames: [] as SeenFrame[],
    status: 0,
    ended: undefined as { code: number } | undefined,
    close,
  };
  const ask = url.startsWith('https:') ? secureRequest : request;
  const asked = ask(url, { agent: false, ...options }, (response) => {
    capture.status = response.statusCode ?? 0;
    response.on('data', (chunk: Buffer) => {
      if (capture.status === 200) capture.frames.push(...reader.push(chunk).map(seen));
    });
    response.on('close', () => {
      capture.ended ??= { code: capture.status };
    });
    response.on('error', () => {});
  });
  asked.on('error', () => {
    capture.ended ??= { code: 0 };
  });
  asked.end();
  function close(): void {
    asked.destroy();
  }
  return capture;
}

/** Plays WS-FLV. */
export function captureWsFlv(url: string, options: { readonly ca?: string } = {}): CapturedPlay {
  const reader = new FlvReader();
  const socket = new WebSocket(url, { perMessageDeflate: false, ...options });
  const capture = {
    frames: [] as SeenFrame[],
    status: 0,
    ended: undefined as { code: number } | undefined,
    close: () => socket.terminate(),
  };
  socket.on('open', () => {
    capture.status = 101;
  });
  socket.on('message', (message: Buffer) => capture.frames.push(...reader.push(message).map(seen)));
  socket.on('close', (code) => {
    capture.ended ??= { code };
  });
  socket.on('unexpected-response', (_request, response) => {
    capture.status = response.statusCode ?? 0;
    capture.ended ??= { code: capture.status };
    response.destroy();
  });
  socket.on('error', () => {});
  return capture;
}
