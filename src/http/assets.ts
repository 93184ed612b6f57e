// The files of the watch page: a fixed list, read once at start, served from memory. No path of a request ever
// reaches the file system.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { TidewayError } from '../base/errors.ts';
import type { Route } from './route.ts';

const ROOT = '/watch/';
const FILES: Readonly<Record<string, string>> = {
  'index.html': 'text/html; charset=utf-8',
  'watch.css': 'text/css; charset=utf-8',
  'watch.js': 'text/javascript; charset=utf-8',
  'live-player.js': 'text/javascript; charset=utf-8',
  'mpegts.js': 'text/javascript; charset=utf-8',
  'mpegts.js.LICENSE.txt': 'text/plain; charset=utf-8',
};

/** Media Source Extensions play from blob: URLs, and mpegts.js may start a worker from one. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "media-src 'self' blob:",
  'worker-src blob:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
].join('; ');

interface Asset {
  readonly bytes: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  readonly etag: string;
}

/**
 * Reads the built watch page.
 * @param folder where `npm run build` put it: `dist/web/watch/`
 * @throws TidewayError `assets.missing`
 */
export async function loadAssets(folder: URL): Promise<Route> {
  const assets = new Map<string, Asset>();
  for (const [name, type] of Object.entries(FILES)) {
    assets.set(ROOT + name, asset(await readAsset(new URL(name, folder)), type));
  }
  const index = assets.get(`${ROOT}index.html`);
  if (index) assets.set(ROOT, index);
  return {
    methods: ['GET', 'HEAD'],
    matches: (path) => assets.has(path),
    handle: (request, response, url) => serve(assets.get(url.pathname), request, response),
  };
}

async function readAsset(file: URL): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    const message = `the watch page is not built (${file.pathname}): run "npm run build", or set watch.enabled to false`;
    throw new TidewayError('assets.missing', message, {}, { cause });
  }
}

function asset(bytes: Buffer, type: string): Asset {
  const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
  return {
    bytes,
    etag,
    headers: {
      'Content-Type': type,
      'Content-Security-Policy': POLICY,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      'Cache-Control': 'no-cache',
      ETag: etag,
    },
  };
}

function serve(found: Asset | undefined, request: IncomingMessage, response: ServerResponse): void {
  if (!found) throw new TidewayError('http.not-found', 'the watch page has no such file');
  if (request.headers['if-none-match'] === found.etag) {
    response.writeHead(304, found.headers);
    response.end();
    return;
  }
  response.writeHead(200, { ...found.headers, 'Content-Length': found.bytes.length });
  response.end(found.bytes);
}
