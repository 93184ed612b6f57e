// What a peer asks for: app, name and query out of `connect`, `publish` and `play`. Pure.
import { WireError } from '../base/errors.ts';
import { parseStreamKey, type StreamKey } from '../base/stream-key.ts';
import type { Amf0Object, Amf0Value } from '../format/amf0.ts';

/** What `connect` was for. */
export interface ConnectTarget {
  readonly app: string;
  /** Of the app, and of the tcUrl where the app has none. Secret. */
  readonly query: URLSearchParams;
}

export interface StreamTarget {
  readonly key: StreamKey;
  /** Of the stream name, then of the app. Secret. */
  readonly query: URLSearchParams;
}

/**
 * Reads the command object of `connect` (RTMP 1.0 §7.2.1.1). Encoders put the query of their server field into the
 * app, into tcUrl, or into both.
 * @throws WireError `rtmp.command`
 */
export function connectTarget(commandObject: Amf0Object): ConnectTarget {
  const app = commandObject.get('app');
  const tcUrl = commandObject.get('tcUrl');
  if (typeof app !== 'string') throw new WireError('rtmp.command', 'connect names no app');
  const asked = cutQuery(app);
  const query = asked.query || (typeof tcUrl === 'string' ? cutQuery(tcUrl).query : '');
  return { app: asked.path, query: new URLSearchParams(query) };
}

/**
 * Reads the stream name of `publish` or `play` within an app. Where one part is left empty, the other may hold both:
 * OBS without a stream key sends app "live/cam" and no name.
 * @throws WireError `rtmp.command` if the name is no text
 * @throws TidewayError `stream-key.invalid` or `stream-key.reserved`
 */
export function streamTarget(target: ConnectTarget, name: Amf0Value): StreamTarget {
  if (typeof name !== 'string') throw new WireError('rtmp.command', 'publish or play names no stream');
  const asked = cutQuery(name);
  // ffmpeg writes "mp4:" by itself before a name that ends so; players of other servers are used to both.
  const path = `${target.app}/${asked.path.replace(/^(flv|mp4):/, '')}`;
  const [app = '', stream = '', ...more] = path.split('/').filter((part) => part !== '');
  const key = parseStreamKey(app, [stream, ...more].join('/'));
  const query = new URLSearchParams(asked.query);
  // URLSearchParams looks through all its fields for each name, and a peer may send tens of thousands.
  const named = new Set(query.keys());
  for (const [field, value] of target.query) if (!named.has(field)) query.append(field, value);
  return { key, query };
}

function cutQuery(text: string): { path: string; query: string } {
  const at = text.indexOf('?');
  return at < 0 ? { path: text, query: '' } : { path: text.slice(0, at), query: text.slice(at + 1) };
}
