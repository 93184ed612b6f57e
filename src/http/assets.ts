// The files of the watch page and of the dashboard: read once at start, served from memory. No path of a request ever reaches
// the file system.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname } from 'node:path';
import { isSecure, plainAddress } from '../base/address.ts';
import { TidewayError } from '../base/errors.ts';
import type { Route } from './route.ts';

/** A page as it was built, and what it may do. */
interface Site {
  readonly name: string;
  /** The switch that does without it. */
  readonly key: string;
  readonly folder: URL;
  /** Path of its index. */
  readonly root: string;
  /** Files beside the index, by path in the folder. */
  readonly files: readonly string[];
  readonly policy: string;
}

interface Asset {
  readonly bytes: Buffer;
  /** The same, by gzip, where it was built so. */
  readonly packed: Buffer | undefined;
  readonly etag: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The dashboard's index tells the page what it may connect to. */
export interface DashboardNeeds {
  /** "host:port" of the HTTP doors of other nodes, as they are known now. */
  httpDoors(): Iterable<string>;
}

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
};
const WATCH_FILES = [
  'watch.css',
  'watch.js',
  'codec-names.js',
  'live-player.js',
  'mpegts.js',
  'mpegts.js.LICENSE.txt',
];
const ASSETS = 'assets/';
/** A name with a digest of what is in it never stands for anything else. */
const HASHED = /^assets\/[\w.]+-[\w-]{8}\.[a-z]+$/;
const METHODS = ['GET', 'HEAD'];
const YEAR_S = 365 * 86_400;
/** Beside the built file by `web/build.mjs`. */
const GZIP = '.gz';
/** As `dashboard/index.html` has it. */
const ORIGINS_MARK = '<meta name="tideway-origins" content="">';
/** Proxies refuse long heads: what is over these is left out, and the page says that it can't play from there. */
const MAX_ORIGINS = 256;
const MAX_ORIGINS_CHARS = 6_000;
/** CSP 3 §2.3.1: a host is of letters, digits, hyphens and dots. It knows no IPv6 addresses. */
const DOOR = /^[A-Za-z0-9.-]{1,255}:\d{1,5}$/;

/** Media Source Extensions play from blob: URLs, and mpegts.js may start a worker from one. */
const WATCH_POLICY = [
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

/**
 * Reads the built watch page.
 * @param folder where `npm run build` put it: `dist/web/watch/`
 * @throws TidewayError `assets.missing`
 */
export async function loadWatchPage(folder: URL): Promise<Route> {
  const site: Site = {
    ...{ name: 'watch page', key: 'watch.enabled', folder, root: '/watch/' },
    files: WATCH_FILES,
    policy: WATCH_POLICY,
  };
  const assets = await readSite(site);
  const index = await readAsset(site, 'index.html');
  assets.set(site.root, index).set(`${site.root}index.html`, index);
  return {
    methods: METHODS,
    matches: (path) => assets.has(path),
    handle: (request, response, url) => serve(assets.get(url.pathname), request, response),
  };
}

/**
 * Reads the built dashboard, which is at `/`. Its index is made for each request, of the nodes known then.
 * @param folder where `npm run build` put it: `dist/web/dashboard/`
 * @throws TidewayError `assets.missing`
 */
export async function loadDashboard(folder: URL, needs: DashboardNeeds): Promise<Route> {
  const site: Site = {
    ...{ name: 'dashboard', key: 'dashboard.enabled', folder, root: '/' },
    files: await builtFiles(folder),
    policy: dashboardPolicy([]),
  };
  const assets = await readSite(site);
  const index = (await readAsset(site, 'index.html')).bytes.toString();
  return {
    methods: METHODS,
    matches: (path) => path === '/' || assets.has(path),
    handle: (request, response, { pathname }) =>
      serve(pathname === '/' ? indexFor(index, needs) : assets.get(pathname), request, response),
  };
}

function indexFor(index: string, needs: DashboardNeeds): Asset {
  const origins = originsOf(needs.httpDoors());
  const text = index.replace(ORIGINS_MARK, ORIGINS_MARK.replace('""', `"${origins.join(' ')}"`));
  return asset(Buffer.from(text), undefined, {
    'Content-Type': TYPES['.html'] ?? '',
    'Content-Security-Policy': dashboardPolicy(origins),
    'Cache-Control': 'no-cache',
  });
}

/** What other nodes say of themselves goes into a header and a document: only what is an address for sure. */
function originsOf(doors: Iterable<string>): string[] {
  const origins: string[] = [];
  let chars = 0;
  for (const door of doors) {
    if (!DOOR.test(plainAddress(door))) continue;
    const origin = `http${isSecure(door) ? 's' : ''}://${plainAddress(door)}`;
    chars += origin.length + 1;
    if (origins.length === MAX_ORIGINS || chars > MAX_ORIGINS_CHARS) break;
    origins.push(origin);
  }
  return origins;
}

function dashboardPolicy(origins: readonly string[]): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    // The last picture of a preview that stands still is a data: address.
    "img-src 'self' data:",
    ["connect-src 'self'", ...origins].join(' '),
    // Media Source Extensions play from blob: URLs.
    "media-src 'self' blob:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

/** Paths of what was built; of the packed files, only where they belong. */
async function builtFiles(folder: URL): Promise<string[]> {
  const names = await readdir(new URL(ASSETS, folder)).catch(() => []);
  return names.filter((name) => !name.endsWith(GZIP)).map((name) => ASSETS + name);
}

async function readSite(site: Site): Promise<Map<string, Asset>> {
  const assets = new Map<string, Asset>();
  for (const name of site.files) assets.set(site.root + name, await readAsset(site, name));
  return assets;
}

async function readAsset(site: Site, path: string): Promise<Asset> {
  const file = new URL(path, site.folder);
  try {
    const bytes = await readFile(file);
    const packed = await readFile(new URL(path + GZIP, site.folder)).catch(() => undefined);
    return asset(bytes, packed, {
      'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream',
      'Content-Security-Policy': site.policy,
      'Cache-Control': HASHED.test(path) ? `public, max-age=${YEAR_S}, immutable` : 'no-cache',
    });
  } catch (cause) {
    const message = `the ${site.name} is not built (${file.pathname}): run "npm run build", or set ${site.key} to false`;
    throw new TidewayError('assets.missing', message, {}, { cause });
  }
}

function asset(bytes: Buffer, packed: Buffer | undefined, headers: Readonly<Record<string, string>>): Asset {
  return {
    bytes,
    packed,
    etag: createHash('sha256').update(bytes).digest('base64url').slice(0, 22),
    headers: {
      ...headers,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer',
      ...(packed && { Vary: 'Accept-Encoding' }),
    },
  };
}

function serve(found: Asset | undefined, request: IncomingMessage, response: ServerResponse): void {
  if (!found) throw new TidewayError('http.not-found', 'the page has no such file');
  const takesPacked = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/.test(
    String(request.headers['accept-encoding'] ?? ''),
  );
  const packed = takesPacked ? found.packed : undefined;
  // Two encodings of a file are two representations, with a tag each (RFC 9110 §8.8.3).
  const etag = `"${found.etag}${packed ? '-gzip' : ''}"`;
  const headers = { ...found.headers, ETag: etag, ...(packed && { 'Content-Encoding': 'gzip' }) };
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, { ...found.headers, ETag: etag });
    response.end();
    return;
  }
  const body = packed ?? found.bytes;
  response.writeHead(200, { ...headers, 'Content-Length': body.length });
  response.end(body);
}
