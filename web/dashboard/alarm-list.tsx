// Alarms as a list: what lasts, and what ended, each with where and how much.
import type { AlarmRow } from '../../src/http/forms/alarms.ts';
import { agoMs, bits, millis, moment, span } from './format.ts';
import { alarmId } from './live-state.ts';
import { State } from './parts.tsx';
import { hashOf } from './route.ts';
import { hopName } from './series.ts';
import { useNow } from './services.ts';

const KINDS: Readonly<Record<AlarmRow['kind'], string>> = {
  stalled: 'Stalled',
  'no-key-frame': 'No key frame',
  'bitrate-collapsed': 'Bitrate collapsed',
  'hop-slow': 'Hop is slow',
};

/** `Hop is slow` */
export function alarmTitle({ kind }: AlarmRow): string {
  return KINDS[kind] ?? kind;
}

/** `live/demo, hop a → b` */
export function alarmPlace({ stream, hop, node }: AlarmRow): string {
  return `${stream}, ${hop ? `hop ${hopName(hop.from, hop.to)}` : `publisher at ${node}`}`;
}

export function AlarmList({ alarms, empty }: { alarms: readonly AlarmRow[]; empty: string }) {
  const now = useNow();
  if (alarms.length === 0) return <p class="empty">{empty}</p>;
  return (
    <ul class="alarms">
      {alarms.map((alarm) => {
        const { stream, since, until, detail } = alarm;
        const lastedMs = until === null ? agoMs(since, now) : Date.parse(until) - Date.parse(since);
        return (
          <li key={alarmId(alarm)} class={until === null ? 'lasting' : 'ended'}>
            <div>
              <State tone={until === null ? 'bad' : 'quiet'}>{alarmTitle(alarm)}</State>{' '}
              <a href={hashOf({ at: 'stream', key: stream })}>{alarmPlace(alarm)}</a>
            </div>
            <p>{detail}</p>
            <p class="quiet">
              {measured(alarm)} · since <time dateTime={since}>{moment(since, now)}</time>,{' '}
              {until === null ? `lasting ${span(lastedMs)}` : `ended after ${span(lastedMs)}`}
            </p>
          </li>
        );
      })}
    </ul>
  );
}

function measured({ value, limit, unit }: AlarmRow): string {
  const say = unit === 'ms' ? millis : bits;
  return `${say(value)} (bound ${say(limit)})`;
}
