// Who publishes and plays: those of a stream or of the whole cluster, with what they went without; and a way to end one.
import { useState } from 'preact/hooks';
import type { SessionRow, SessionsAnswer } from '../../src/http/forms/sessions.ts';
import { Confirm } from './dialog.tsx';
import { bitsOfBytes, bytes, count, counted, moment, span } from './format.ts';
import { Empty, Failed, Missing, State, type Tone } from './parts.tsx';
import { hashOf, withQuery } from './route.ts';
import { useNow, usePoll, useServices } from './services.ts';
import { type Column, Table } from './table.tsx';

const POLL_MS = 2000;
const LIMIT = 200;
const STATE_TONES: Readonly<Record<SessionRow['state'], Tone>> = {
  live: 'good',
  standby: 'quiet',
  waiting: 'quiet',
  behind: 'warn',
  ended: 'quiet',
};

interface SessionsProps {
  readonly caption: string;
  /** '': of all. */
  readonly stream: string;
  /** '': at all. */
  readonly node: string;
}

export function Sessions({ caption, stream, node }: SessionsProps) {
  const { api, say } = useServices();
  const now = useNow();
  const [state, setState] = useState<'open' | 'ended'>('open');
  const [kicked, setKicked] = useState<SessionRow>();
  const path = withQuery('sessions', { stream, node, state, limit: LIMIT });
  const { answer, latest, failed, again } = usePoll<SessionsAnswer>(path, POLL_MS);
  const shown = answer ?? latest;
  const rows = shown?.sessions ?? [];
  const columns = columnsFor({ stream, node, state, now, kick: setKicked });
  return (
    <>
      <fieldset class="choice" aria-label="Which sessions">
        {(['open', 'ended'] as const).map((each) => (
          <button key={each} type="button" aria-pressed={state === each} onClick={() => setState(each)}>
            {each === 'open' ? 'There now' : 'Ended of late'}
          </button>
        ))}
      </fieldset>
      <Failed failed={failed} />
      <Missing stale={shown?.stale} />
      {shown ? (
        <Table
          caption={caption}
          columns={columns}
          rows={rows}
          keyOf={({ node: at, id }) => `${at} ${id}`}
          first={{ column: 'kind', order: 'down' }}
          empty={state === 'open' ? 'Nobody is here.' : 'Nobody left of late.'}
        />
      ) : (
        <Empty>Asking the nodes …</Empty>
      )}
      {shown?.truncated && (
        <p class="quiet">
          The first {count(shown.sessions.length)} of {counted(shown.total, 'session')}.
        </p>
      )}
      {kicked && (
        <Confirm
          title={`End this ${kicked.kind}?`}
          action={`End the ${kicked.kind}`}
          close={() => setKicked(undefined)}
          confirm={async () => {
            await api.delete(`sessions/${kicked.id}`);
            say(`The ${kicked.kind} ${kicked.remote} was ended.`);
            again();
          }}
        >
          <p>
            The {kicked.kind} <strong>{kicked.remote}</strong> of {kicked.stream} at {kicked.node} is
            disconnected. It may come back at once, if its program does so.
          </p>
        </Confirm>
      )}
    </>
  );
}

function columnsFor({
  stream,
  node,
  state,
  now,
  kick,
}: {
  stream: string;
  node: string;
  state: 'open' | 'ended';
  now: number;
  kick(row: SessionRow): void;
}): Column<SessionRow>[] {
  const place: Column<SessionRow>[] = [];
  if (stream === '')
    place.push({
      id: 'stream',
      title: 'Stream',
      cell: (row) => <a href={hashOf({ at: 'stream', key: row.stream })}>{row.stream}</a>,
      by: (row) => row.stream,
    });
  if (node === '')
    place.push({
      id: 'node',
      title: 'Node',
      cell: (row) => <a href={hashOf({ at: 'node', node: row.node })}>{row.node}</a>,
      by: (row) => row.node,
    });
  return [
    {
      id: 'remote',
      title: 'Address',
      cell: (row) => (
        <span class="mono" title={`Session ${row.id}`}>
          {row.remote}
        </span>
      ),
      by: ({ remote }) => remote,
    },
    { id: 'kind', title: 'Is', cell: ({ kind }) => kind, by: ({ kind }) => kind },
    ...place,
    { id: 'protocol', title: 'By', cell: ({ protocol }) => protocol, by: ({ protocol }) => protocol },
    {
      id: 'state',
      title: 'State',
      cell: (row) => (
        <State tone={STATE_TONES[row.state] ?? 'quiet'}>
          {row.ended ? <span title={row.ended.code}>{row.ended.message}</span> : row.state}
        </State>
      ),
      by: (row) => row.ended?.code ?? row.state,
    },
    {
      id: 'since',
      title: 'For',
      isNumeric: true,
      cell: (row) => <span title={`Since ${moment(row.since, now)}`}>{span(row.durationMs)}</span>,
      by: ({ durationMs }) => durationMs,
    },
    {
      id: 'bytes',
      title: 'Bytes',
      isNumeric: true,
      cell: (row) => bytes(row.bytes),
      by: (row) => row.bytes,
    },
    ...(state === 'open'
      ? ([
          {
            id: 'rate',
            title: 'Rate',
            isNumeric: true,
            cell: ({ bytesPerS }) => bitsOfBytes(bytesPerS),
            by: ({ bytesPerS }) => bytesPerS,
          },
          {
            id: 'backlog',
            title: 'Backlog',
            isNumeric: true,
            cell: ({ backlogBytes }) => bytes(backlogBytes),
            by: ({ backlogBytes }) => backlogBytes,
          },
        ] satisfies Column<SessionRow>[])
      : []),
    {
      id: 'dropped',
      title: 'Dropped',
      isNumeric: true,
      cell: ({ dropped, skips }) =>
        skips > 0 ? `${count(dropped)} (${counted(skips, 'skip')})` : count(dropped),
      by: ({ dropped }) => dropped,
    },
    ...(state === 'open'
      ? ([
          {
            id: 'kick',
            title: 'End',
            cell: (row) => (
              <button
                type="button"
                class="small"
                aria-label={`End ${row.kind} ${row.remote}`}
                onClick={() => kick(row)}
              >
                End
              </button>
            ),
          },
        ] satisfies Column<SessionRow>[])
      : []),
  ];
}
