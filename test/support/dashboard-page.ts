// The dashboard in a tab of Chromium: where it is, what it shows, what axe says of it, and pictures of it.
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { PROJECT_FOLDER } from './node-process.ts';
import { until } from './until.ts';
import { DESKTOP, type WatchBrowser, type WatchLook, type WatchPage } from './watch-browser.ts';

/** Git ignores it; a test run writes over what the one before left. */
const PICTURES = join(PROJECT_FOLDER, 'test-output');
const PHONE = { width: 360, height: 740 };
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe found, of those that are serious or critical. */
const FAULTS = `axe
  .run(document, { resultTypes: ['violations'] })
  .then(({ violations }) => violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => id + ' at ' + target + ': ' + failureSummary)))`;

export class DashboardPage implements AsyncDisposable {
  readonly #tab: WatchPage;

  private constructor(tab: WatchPage) {
    this.#tab = tab;
  }

  static async open(browser: WatchBrowser, url: string, look: WatchLook = {}): Promise<DashboardPage> {
    return new DashboardPage(await browser.open(url, look));
  }

  get page(): Page {
    return this.#tab.page;
  }

  get errors(): readonly string[] {
    return this.#tab.errors;
  }

  /** Documents that were loaded: 1, unless the page was loaded again. */
  get documents(): number {
    return this.#tab.documents;
  }

  evaluate<T>(expression: string): Promise<T> {
    return this.#tab.evaluate<T>(expression);
  }

  /** Goes to a view as a link does, and waits for a heading of it. */
  async goTo(hash: string, heading: string | RegExp): Promise<void> {
    await this.evaluate(`location.hash = ${JSON.stringify(hash)}`);
    await this.page.getByRole('heading', { name: heading }).first().waitFor();
  }

  /** When an expression was first seen to be true, in ms since the page was asked for. */
  msUntil(expression: string): Promise<number> {
    // Asked again and again from here: the page's policy lets nobody evaluate anything in it by itself.
    return until(expression, () => this.evaluate<number | false>(`(${expression}) && performance.now()`));
  }

  /** As if its tab was left, or come back to. */
  async see(state: 'hidden' | 'visible'): Promise<void> {
    await this.evaluate(`{
      Object.defineProperty(document, 'visibilityState', { value: '${state}', configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }`);
  }

  /** Resolves when what is asked for is there: nothing says that it waits for nodes. */
  async settled(): Promise<void> {
    await this.msUntil(`!document.body.innerText.includes('Asking the nodes')`);
  }

  /** The time of the preview, s. */
  time(): Promise<number> {
    return this.#tab.time();
  }

  /** Resolves when the preview has moved on by some seconds, all in small steps. */
  plays(seconds: number): Promise<void> {
    return this.#tab.movesOn('the preview plays', seconds);
  }

  async faults(): Promise<string[]> {
    // Evaluated, and not added as a script: the page's policy holds for the test too.
    await this.evaluate(AXE);
    return this.evaluate<string[]>(FAULTS);
  }

  async picture(name: string): Promise<void> {
    mkdirSync(PICTURES, { recursive: true });
    await this.page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
  }

  async phone(): Promise<void> {
    await this.page.setViewportSize(PHONE);
  }

  async desk(): Promise<void> {
    await this.page.setViewportSize(DESKTOP);
  }

  /** Pixels by which the page is wider than its window. */
  overhang(): Promise<number> {
    return this.evaluate('Math.max(0, document.documentElement.scrollWidth - innerWidth)');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tab[Symbol.asyncDispose]();
  }
}
