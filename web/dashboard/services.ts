// What all views share: the API, the live feed and the page's address, handed down by context; and the hooks that use them.
import { createContext } from 'preact';
import { useContext, useEffect, useRef, useState } from 'preact/hooks';
import { type Api, ApiError } from './api.ts';
import type { LiveFeed } from './live-feed.ts';
import { isStale, type LiveState } from './live-state.ts';
import type { PageAddress } from './node-address.ts';
import type { Store } from './store.ts';

export interface Services {
  readonly api: Api;
  readonly feed: LiveFeed;
  readonly address: PageAddress;
  /** Tells who can't see it. */
  say(text: string): void;
}

export const ServicesContext = createContext<Services | undefined>(undefined);

export function useServices(): Services {
  const services = useContext(ServicesContext);
  if (!services) throw new Error('a view is drawn outside of the page');
  return services;
}

/** The value of a store; the component is drawn again when it changes. */
export function useStore<T>(store: Store<T>): T {
  return useStorePart(store, (value) => value);
}

/** A part of it: drawn again only when that part is another. */
export function useStorePart<T, P>(store: Store<T>, pick: (value: T) => P): P {
  const latest = useRef(pick);
  latest.current = pick;
  const [, draw] = useState({});
  const part = pick(store.value);
  const shown = useRef(part);
  shown.current = part;
  useEffect(
    () =>
      store.subscribe((value) => {
        if (!Object.is(latest.current(value), shown.current)) draw({});
      }),
    [store],
  );
  return part;
}

export function useLive<P>(pick: (state: LiveState) => P): P {
  return useStorePart(useServices().feed.state, pick);
}

/** The time of day, looked at each second while the page is seen. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = window.setInterval(() => {
      if (document.visibilityState === 'visible') setNow(Date.now());
    }, 1000);
    return () => window.clearInterval(timer);
  }, []);
  return now;
}

const LOOK_MS = 500;

/** Is what is shown live out of date? The component is drawn again only when that changes. */
export function useIsStale(): boolean {
  const { feed } = useServices();
  const [stale, setStale] = useState(() => isStale(feed.state.value, Date.now()));
  useEffect(() => {
    const look = () => setStale(isStale(feed.state.value, Date.now()));
    const timer = window.setInterval(look, LOOK_MS);
    const unsubscribe = feed.state.subscribe(look);
    return () => {
      window.clearInterval(timer);
      unsubscribe();
    };
  }, [feed]);
  return stale;
}

/** What a poll knows. `answer` stays while later asks fail: `failed` says that it is old. */
export interface Polled<T> {
  readonly answer: T | undefined;
  /** The newest answer to this path or to one before it: better than an empty page meanwhile. */
  readonly latest: T | undefined;
  readonly atWallMs: number;
  readonly failed: ApiError | undefined;
  /** Asks at once. */
  readonly again: () => void;
}

const MAX_FAILED_MS = 10_000;

/** Asks the API for it again and again, but not while nobody looks. Another path begins anew; '' asks nothing. */
export function usePoll<T>(path: string, everyMs: number): Polled<T> {
  const { api } = useServices();
  const [known, setKnown] = useState<{
    path: string;
    answeredPath: string;
    answer: T | undefined;
    atWallMs: number;
    failed: ApiError | undefined;
  }>({ path, answeredPath: path, answer: undefined, atWallMs: 0, failed: undefined });
  const again = useRef(() => {});
  useEffect(() => {
    if (path === '') return;
    const closed = new AbortController();
    let timer = 0;
    let failures = 0;
    let isAsking = false;
    const ask = async () => {
      window.clearTimeout(timer);
      if (isAsking || document.visibilityState !== 'visible') return;
      isAsking = true;
      try {
        const answer = await api.get<T>(path, closed.signal);
        failures = 0;
        setKnown({ path, answeredPath: path, answer, atWallMs: Date.now(), failed: undefined });
      } catch (error) {
        if (closed.signal.aborted) return;
        failures += 1;
        const failed =
          error instanceof ApiError ? error : new ApiError(0, 'page.answer', 'the answer can not be read');
        setKnown((before) => (before.path === path ? { ...before, failed } : { ...before, path, failed }));
      } finally {
        isAsking = false;
      }
      timer = window.setTimeout(ask, Math.min(MAX_FAILED_MS, everyMs * (failures + 1)));
    };
    const attend = () => {
      if (document.visibilityState === 'visible') void ask();
    };
    again.current = () => void ask();
    document.addEventListener('visibilitychange', attend);
    void ask();
    return () => {
      closed.abort();
      window.clearTimeout(timer);
      document.removeEventListener('visibilitychange', attend);
    };
  }, [api, path, everyMs]);
  const isCurrent = known.path === path;
  return {
    answer: isCurrent && known.answeredPath === path ? known.answer : undefined,
    latest: known.answer,
    atWallMs: known.atWallMs,
    failed: isCurrent ? known.failed : undefined,
    again: () => again.current(),
  };
}
