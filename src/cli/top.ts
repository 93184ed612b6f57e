// `tideway top`: asks every two seconds, and shows what it heard: drawn over itself on a terminal, else one text or one
// JSON document after the other.
import { type Clock, wait } from '../base/clock.ts';
import { TidewayError } from '../base/errors.ts';
import { paintFor } from './paint.ts';
import { print } from './print.ts';
import { safeJson } from './safe-text.ts';
import { Screen } from './screen.ts';
import { type TopFacts, type TopView, topAct, topScreen, topText } from './top-screen.ts';

/** How it is shown, and for how long. */
export interface TopOptions {
  readonly view: TopView;
  /** Looks, then it ends; undefined: until it is stopped. */
  readonly looks: number | undefined;
  readonly isJson: boolean;
}

export interface TopNeeds {
  readonly clock: Clock;
  /** @throws TidewayError when the node does not answer */
  readonly look: (view: TopView) => Promise<TopFacts>;
  readonly process: NodeJS.Process;
}

const EVERY_MS = 2_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Resolves when it was told to quit, or has looked as often as it was asked to.
 * @throws TidewayError of the first look; later ones are tried again
 */
export async function top(options: TopOptions, needs: TopNeeds): Promise<void> {
  const { isJson, looks } = options;
  const { stdin, stdout } = needs.process;
  // One look, a pipe or no keyboard: nobody would quit, or change the order.
  const isLive = stdout.isTTY && stdin.isTTY && !isJson && looks === undefined;
  await (isLive ? showLive(options, needs) : showInARow(options, needs));
}

async function showInARow({ view, looks, isJson }: TopOptions, needs: TopNeeds): Promise<void> {
  const { clock, look, process } = needs;
  const paint = paintFor(process.stdout, process.env);
  for (let at = 1; ; at += 1) {
    const startMs = clock.now();
    const facts = await look(view).catch((error: unknown) => {
      if (at === 1 || !(error instanceof TidewayError)) throw error;
      process.stderr.write(`tideway: ${error.message}\n`);
    });
    if (facts) {
      const text = isJson
        ? `${safeJson(facts, 0)}\n`
        : `${at === 1 ? '' : '\n'}${topText(facts, view, paint)}`;
      if ((await print(text, process)) === 'gone') return;
    }
    if (at === looks) return;
    await wait(clock, Math.max(0, EVERY_MS - (clock.now() - startMs)));
  }
}

async function showLive({ view }: TopOptions, needs: TopNeeds): Promise<void> {
  const { clock, look, process } = needs;
  // Before the terminal is taken: an error is a line on it then.
  let facts = await look(view);
  let shown = view;
  let note = '';
  let wake: () => void = () => {};
  let quit: () => void = () => {};
  const quitting = new Promise<'quit'>((resolve) => {
    quit = () => resolve('quit');
  });
  const paint = paintFor(process.stdout, process.env);
  const draw = () => screen.draw(topScreen(facts, { view: shown, size: screen.size, paint, note }));
  const typed = (key: string) => {
    const act = topAct(key, shown);
    if (act.is === 'quit') quit();
    if (act.is !== 'show') return;
    shown = act.view;
    // What is there is drawn at once; in its new order as soon as the node has answered.
    draw();
    wake();
  };
  for (const signal of SIGNALS) process.on(signal, quit);
  // A terminal that is gone takes nothing any more.
  process.stdout.on('error', quit);
  using screen = new Screen(process, { typed, resized: draw });
  for (;;) {
    draw();
    const pause = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const timer = clock.after(EVERY_MS, wake);
    const woken = await Promise.race([pause, quitting]);
    timer.cancel();
    if (woken === 'quit') return;
    try {
      const answered = await Promise.race([look(shown), quitting]);
      if (answered === 'quit') return;
      facts = answered;
      note = '';
    } catch (error) {
      if (!(error instanceof TidewayError)) throw error;
      note = `This is old. ${error.message}`;
    }
  }
}
