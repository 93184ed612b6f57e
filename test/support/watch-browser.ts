// Debian's Chromium with the watch page open, as a newcomer has it: a fresh profile, no extensions, no network but ours.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { until } from './until.ts';

const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--autoplay-policy=no-user-gesture-required',
];
const PATIENCE_MS = 30_000;

/** Runs in the page before its own scripts: makes CSP violations errors, and notes the first frame's time. */
const BEFORE_PAGE = `
  addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
    console.error('CSP violation: ' + violatedDirective + ' ' + blockedURI);
  });
  addEventListener('DOMContentLoaded', () => {
    document.querySelector('video')?.requestVideoFrameCallback((shownMs) => { window.firstFrameMs = shownMs; });
  });
`;

/** How many colours a frame has, at 4 bits a channel, looked at in a grid. */
const COUNT_COLOURS = `(() => {
  const video = document.querySelector('video');
  const canvas = document.createElement('canvas');
  canvas.width = 64;
  canvas.height = 36;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(video, 0, 0, 64, 36);
  const { data } = context.getImageData(0, 0, 64, 36);
  const colours = new Set();
  for (let at = 0; at < data.length; at += 4) {
    colours.add((data[at] >> 4) * 256 + (data[at + 1] >> 4) * 16 + (data[at + 2] >> 4));
  }
  return colours.size;
})()`;

/** How the page is looked at. */
export interface WatchLook {
  readonly size?: { readonly width: number; readonly height: number };
  readonly colorScheme?: 'dark' | 'light';
}

export const DESKTOP = { width: 1280, height: 800 };

/** The browser, until it is disposed of; its profile goes with it. */
export class WatchBrowser implements AsyncDisposable {
  readonly #context: BrowserContext;
  readonly #profile: string;

  private constructor(context: BrowserContext, profile: string) {
    this.#context = context;
    this.#profile = profile;
  }

  static async start(): Promise<WatchBrowser> {
    const profile = mkdtempSync(join(tmpdir(), 'tideway-chromium-'));
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: CHROMIUM,
      args: FLAGS,
      headless: true,
    });
    context.setDefaultTimeout(PATIENCE_MS);
    await context.addInitScript(BEFORE_PAGE);
    return new WatchBrowser(context, profile);
  }

  /** Opens a page in a tab of its own. */
  async open(url: string, { size = DESKTOP, colorScheme = 'dark' }: WatchLook = {}): Promise<WatchPage> {
    const page = await this.#context.newPage();
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme });
    const watched = new WatchPage(page);
    await page.goto(url);
    return watched;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close();
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** One tab with the watch page. */
export class WatchPage implements AsyncDisposable {
  readonly page: Page;
  /** Errors on its console, uncaught ones and CSP violations included. */
  readonly errors: string[] = [];
  /** Documents that the tab has loaded: 1, unless it was reloaded. */
  documents = 0;

  constructor(page: Page) {
    this.page = page;
    page.on('console', (message) => {
      if (message.type() === 'error') this.errors.push(message.text());
    });
    page.on('pageerror', (error) => this.errors.push(String(error)));
    page.on('domcontentloaded', () => {
      this.documents += 1;
    });
  }

  /** The value of an expression in the page. A string, as tests are checked without the DOM's types. */
  evaluate<T>(expression: string): Promise<T> {
    return this.page.evaluate<T>(expression);
  }

  /** The time of the video, s. */
  time(): Promise<number> {
    return this.evaluate<number>(`document.querySelector('video')?.currentTime ?? 0`);
  }

  /** Seconds between what is shown and the newest that was received. */
  latency(): Promise<number> {
    return this.evaluate<number>(`(() => {
      const { buffered, currentTime } = document.querySelector('video');
      return buffered.length === 0 ? 0 : buffered.end(buffered.length - 1) - currentTime;
    })()`);
  }

  colours(): Promise<number> {
    return this.evaluate<number>(COUNT_COLOURS);
  }

  /** Resolves when the video has moved on by some seconds, all in small steps: a jump is no play. */
  async plays(seconds = 1): Promise<void> {
    await this.movesOn(`the video plays (${await this.said()})`, seconds);
  }

  /** The same, on a page that says nothing over its video. */
  async movesOn(what: string, seconds: number): Promise<void> {
    let moved = 0;
    let before = await this.time();
    await until(
      what,
      async () => {
        const now = await this.time();
        if (now > before && now - before < 1) moved += now - before;
        before = now;
        return moved >= seconds;
      },
      PATIENCE_MS,
    );
  }

  /** What the page says over the video. */
  said(): Promise<string> {
    return this.page.locator('#screen-state').innerText();
  }

  /** Resolves when it says this, and nothing else. */
  async says(text: RegExp): Promise<void> {
    await until(`the page says ${text}`, async () => text.test(await this.said()), PATIENCE_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.close();
  }
}
