// The page around the views: where one is and can go, whether what is shown is so now, alarms for those who look elsewhere,
// and the way in where the API is locked.
import { useEffect, useRef, useState } from 'preact/hooks';
import { alarmPlace, alarmTitle } from './alarm-list.tsx';
import { clockTime, counted } from './format.ts';
import { alarmId, lastingAlarms } from './live-state.ts';
import { Locked } from './locked.tsx';
import { State } from './parts.tsx';
import { hashOf, type View, viewOf } from './route.ts';
import { useIsStale, useLive, useServices, useStore } from './services.ts';
import { applyTheme, keepTheme, nextTheme, themeIn } from './theme.ts';
import { ViewGuard } from './view-guard.tsx';
import { AlarmsView } from './views/alarms.tsx';
import { ClusterView } from './views/cluster.tsx';
import { NodeView } from './views/node.tsx';
import { StreamView } from './views/stream.tsx';
import { StreamsView } from './views/streams.tsx';
import { TrafficView } from './views/traffic.tsx';
import { WhyView } from './views/why.tsx';

const VIEW_NAMES: Readonly<Record<Exclude<View['at'], 'stream' | 'node'>, string>> = {
  cluster: 'Cluster',
  streams: 'Streams',
  alarms: 'Alarms and events',
  why: 'Why',
  traffic: 'Traffic',
  unknown: 'Not found',
};

export function App() {
  const { feed } = useServices();
  const view = useView();
  const link = useStore(feed.link);
  const stream = view.at === 'stream' ? view.key : '';
  useEffect(() => {
    feed.lookAt({ stream, events: view.at === 'alarms' });
  }, [feed, stream, view.at]);
  useTitle(view);
  useSpokenAlarms();
  const isOld = useIsStale();
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to the content
      </button>
      <Header view={view} />
      <main id="main" tabIndex={-1} class={isOld && link.at !== 'locked' ? 'stale' : ''}>
        {link.at === 'locked' ? (
          <Locked code={link.code} detail={link.detail} />
        ) : (
          <ViewGuard key={viewKey(view)}>
            <ViewOf view={view} />
          </ViewGuard>
        )}
      </main>
      <footer>
        <a href="watch/">Watch page</a> · <a href="api/openapi.json">API</a> · <a href="metrics">Metrics</a> ·{' '}
        <a href="assets/licences.txt">Licences</a>
      </footer>
    </>
  );
}

function ViewOf({ view }: { view: View }) {
  switch (view.at) {
    case 'cluster':
      return <ClusterView />;
    case 'streams':
      return <StreamsView asked={view} go={(asked) => replaceView({ at: 'streams', ...asked })} />;
    case 'stream':
      return <StreamView streamKey={view.key} />;
    case 'node':
      return <NodeView node={view.node} />;
    case 'alarms':
      return <AlarmsView />;
    case 'why':
      return <WhyView stream={view.stream} go={(stream) => replaceView({ at: 'why', stream })} />;
    case 'traffic':
      return <TrafficView by={view.by} />;
    case 'unknown':
      return (
        <>
          <h1>Nothing is here</h1>
          <p>
            This address names no view. <a href={hashOf({ at: 'cluster' })}>Look at the cluster</a>
          </p>
        </>
      );
  }
}

/** Views that are the same but for what they list stay as they are. */
function viewKey(view: View): string {
  return view.at === 'stream' ? `stream ${view.key}` : view.at === 'node' ? `node ${view.node}` : view.at;
}

function Header({ view }: { view: View }) {
  const lasting = useLive(({ status }) => status?.cluster.alarms ?? 0);
  const places: readonly (readonly [string, View, readonly View['at'][]])[] = [
    ['Cluster', { at: 'cluster' }, ['cluster', 'node']],
    ['Streams', { at: 'streams', search: '', sort: 'key', order: 'asc', page: 1 }, ['streams', 'stream']],
    ['Alarms', { at: 'alarms' }, ['alarms']],
    ['Why', { at: 'why', stream: '' }, ['why']],
    ['Traffic', { at: 'traffic', by: 'node' }, ['traffic']],
  ];
  return (
    <header class="top">
      <a class="brand" href={hashOf({ at: 'cluster' })}>
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <path d="M2 9c3.5-4 6.5-4 10 0s6.5 4 10 0M2 16c3.5-4 6.5-4 10 0s6.5 4 10 0" />
        </svg>
        Tideway
      </a>
      <nav aria-label="Views">
        {places.map(([name, to, within]) => (
          <a
            key={name}
            href={hashOf(to)}
            {...(within.includes(view.at) && { 'aria-current': 'page' as const })}
          >
            {name}
            {name === 'Alarms' && lasting > 0 && (
              <span class="count">
                <span class="hidden-text">, lasting: </span>
                {lasting}
              </span>
            )}
          </a>
        ))}
      </nav>
      <div class="top-end">
        <Connection />
        <ThemeSwitch />
      </div>
    </header>
  );
}

function Connection() {
  const { feed } = useServices();
  const link = useStore(feed.link);
  const toldWallMs = useLive((live) => live.toldWallMs);
  const node = useLive(({ status }) => status?.node);
  const registry = useLive(({ status }) => status?.registry);
  const isOld = useIsStale();
  const asOf = toldWallMs === undefined ? '' : `as of ${clockTime(toldWallMs)}, `;
  const words =
    link.at === 'locked'
      ? 'locked'
      : isOld
        ? toldWallMs === undefined && link.at === 'connecting'
          ? 'connecting'
          : `${asOf}reconnecting`
        : `live from ${node ?? '…'}`;
  return (
    <p class="connection" role="status">
      <State tone={link.at === 'locked' ? 'bad' : isOld ? 'warn' : 'good'}>{words}</State>
      {!isOld && registry === 'away' && <State tone="warn">registry away</State>}
    </p>
  );
}

function ThemeSwitch() {
  const [theme, setTheme] = useState(() => themeIn(localStorage));
  const change = () => {
    const next = nextTheme(theme);
    keepTheme(localStorage, next);
    applyTheme(next);
    setTheme(next);
  };
  return (
    <button
      type="button"
      class="theme"
      onClick={change}
      aria-label={`Colours: ${theme}`}
      title={`Colours: ${theme}`}
    >
      <svg viewBox="0 0 20 20" aria-hidden="true">
        <circle cx="10" cy="10" r="7" />
        <path d="M10 3a7 7 0 0 1 0 14z" />
      </svg>
      <span>{theme}</span>
    </button>
  );
}

/** The view by the address, as it changes. A new view begins at its top, with the focus there. */
function useView(): View {
  const [view, setView] = useState(() => viewOf(location.hash));
  const key = useRef(viewKey(view));
  useEffect(() => {
    const changed = () => {
      const next = viewOf(location.hash);
      setView(next);
      if (viewKey(next) === key.current) return;
      key.current = viewKey(next);
      scrollTo(0, 0);
      document.getElementById('main')?.focus({ preventScroll: true });
    };
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return view;
}

/** No step of its own for the Back button: it is the same view, asked another question. */
function replaceView(view: View): void {
  const { pathname, search } = location;
  history.replaceState(null, '', `${pathname}${search}${hashOf(view)}`);
  dispatchEvent(new HashChangeEvent('hashchange'));
}

function useTitle(view: View): void {
  const count = useLive(({ status }) => status?.cluster.alarms ?? 0);
  const name = view.at === 'stream' ? view.key : view.at === 'node' ? view.node : VIEW_NAMES[view.at];
  useEffect(() => {
    const alarms = count > 0 ? `(${counted(count, 'alarm')}) ` : '';
    document.title = `${alarms}${name} · Tideway`;
  }, [name, count]);
}

/** Each alarm is said once as it begins. Those that last already when the page is opened are in its count. */
function useSpokenAlarms(): void {
  const { say } = useServices();
  const alarms = useLive((live) => live.alarms);
  const isTold = useLive((live) => !live.expectsAllNodes);
  const known = useRef<ReadonlySet<string> | undefined>(undefined);
  useEffect(() => {
    if (!isTold) return;
    const lasting = lastingAlarms(alarms);
    const fresh = lasting.filter((alarm) => known.current && !known.current.has(alarmId(alarm)));
    known.current = new Set([...alarms.values()].map(alarmId));
    const [first] = fresh;
    if (!first) return;
    const more = fresh.length > 1 ? `, and ${fresh.length - 1} more alarms` : '';
    say(`Alarm: ${alarmTitle(first)}, ${alarmPlace(first)}${more}`);
  }, [alarms, isTold, say]);
}
