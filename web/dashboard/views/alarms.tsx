// Alarms that last and that ended, and what happened: the lines of all nodes' logs that tell of streams and nodes.
import { useMemo, useState } from 'preact/hooks';
import type { AlarmRow, AlarmsAnswer, EventRow, EventsAnswer } from '../../../src/http/forms/alarms.ts';
import { AlarmList } from '../alarm-list.tsx';
import { moment } from '../format.ts';
import { alarmId } from '../live-state.ts';
import { Empty, Failed, Missing, Panel, State, type Tone } from '../parts.tsx';
import { hashOf } from '../route.ts';
import { useLive, useNow, usePoll } from '../services.ts';

const POLL_MS = 5000;
const MOST = 500;
const MOST_DRAWN = 200;
const LEVELS = ['info', 'warn', 'error'] as const;
const LEVEL_TONES: Readonly<Record<EventRow['level'], Tone>> = { info: 'quiet', warn: 'warn', error: 'bad' };

export function AlarmsView() {
  const { answer, failed } = usePoll<AlarmsAnswer>(`alarms?limit=${MOST}`, POLL_MS);
  const live = useLive(({ alarms }) => alarms);
  const alarms = useMemo(() => merged(answer?.alarms ?? [], live), [answer, live]);
  const lasting = alarms.filter(({ until }) => until === null);
  const ended = alarms.filter(({ until }) => until !== null);
  return (
    <>
      <h1>Alarms and events</h1>
      <Failed failed={failed} />
      <Missing stale={answer?.stale} />
      <Panel title="Lasting" id="lasting-title">
        <AlarmList alarms={lasting} empty={answer ? 'No alarm lasts.' : 'Asking the nodes …'} />
      </Panel>
      {ended.length > 0 && (
        <Panel title="Ended of late" id="ended-title">
          <AlarmList alarms={ended.slice(0, MOST_DRAWN)} empty="" />
        </Panel>
      )}
      <Events />
    </>
  );
}

/** What was told live is newer than what was asked. */
function merged(asked: readonly AlarmRow[], live: ReadonlyMap<string, AlarmRow>): AlarmRow[] {
  const all = new Map(asked.map((alarm) => [alarmId(alarm), alarm]));
  for (const [id, alarm] of live) {
    if (all.get(id)?.until == null) all.set(id, alarm);
  }
  return [...all.values()].sort((one, other) =>
    (other.until ?? other.since).localeCompare(one.until ?? one.since),
  );
}

function Events() {
  const now = useNow();
  const { answer, failed } = usePoll<EventsAnswer>(`events?limit=${MOST}`, 60_000);
  const live = useLive(({ events }) => events);
  const [text, setText] = useState('');
  const [least, setLeast] = useState<EventRow['level']>('info');
  const events = useMemo(() => {
    const all = new Map(
      [...live, ...(answer?.events ?? [])].map((row) => [`${row.node} ${row.id} ${row.time}`, row]),
    );
    return [...all.values()].sort((one, other) => other.time.localeCompare(one.time));
  }, [answer, live]);
  const wanted = text.trim().toLowerCase();
  const shown = events.filter(
    (row) =>
      LEVELS.indexOf(row.level) >= LEVELS.indexOf(least) && (wanted === '' || words(row).includes(wanted)),
  );
  return (
    <Panel
      title="Events"
      id="events-title"
      aside={
        <search class="filters">
          <label>
            <span class="hidden-text">Least level</span>
            <select value={least} onChange={(event) => setLeast(levelOf(event.currentTarget.value))}>
              <option value="info">All levels</option>
              <option value="warn">Warnings and errors</option>
              <option value="error">Errors</option>
            </select>
          </label>
          <label>
            <span class="hidden-text">Filter events</span>
            <input
              type="search"
              placeholder="Filter"
              value={text}
              onInput={(event) => setText(event.currentTarget.value)}
            />
          </label>
        </search>
      }
    >
      <Failed failed={failed} />
      <Missing stale={answer?.stale} />
      {shown.length === 0 && <Empty>{answer ? 'Nothing happened that fits.' : 'Asking the nodes …'}</Empty>}
      <ol class="events">
        {shown.slice(0, MOST_DRAWN).map((row) => (
          <li key={`${row.node} ${row.id} ${row.time}`}>
            <time dateTime={row.time}>{moment(row.time, now)}</time>
            <State tone={LEVEL_TONES[row.level] ?? 'quiet'}>{row.event}</State>
            <span>
              <a href={hashOf({ at: 'node', node: row.node })}>{row.node}</a>
              {row.stream !== null && (
                <>
                  {' '}
                  <a href={hashOf({ at: 'stream', key: row.stream })}>{row.stream}</a>
                </>
              )}
              <span class="fields">{fieldText(row)}</span>
            </span>
          </li>
        ))}
      </ol>
      {shown.length > MOST_DRAWN && (
        <p class="quiet">
          The newest {MOST_DRAWN} of {shown.length}.
        </p>
      )}
    </Panel>
  );
}

function levelOf(text: string): EventRow['level'] {
  return LEVELS.find((level) => level === text) ?? 'info';
}

function fieldText({ fields }: EventRow): string {
  return Object.entries(fields)
    .map(([name, value]) => ` ${name}=${String(value)}`)
    .join('');
}

function words(row: EventRow): string {
  return `${row.event} ${row.node} ${row.stream ?? ''}${fieldText(row)}`.toLowerCase();
}
