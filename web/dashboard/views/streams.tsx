// The streams of the cluster: searched, sorted and paged by the node, each with its recent past.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { StreamRow, StreamsAnswer } from '../../../src/http/forms/streams.ts';
import { agoMs, bits, codecs, count, counted, frames, NOTHING, span } from '../format.ts';
import { Empty, Failed, Missing, Panel, State } from '../parts.tsx';
import { hashOf, SORTS, type StreamsAsked, usualOrder, withQuery } from '../route.ts';
import { useLive, useNow, usePoll } from '../services.ts';
import { Sparkline } from '../sparkline.tsx';
import { type Column, Table } from '../table.tsx';
import { Hints } from './hints.tsx';

const PAGE_ROWS = 50;
const POLL_MS = 2000;
/** From the last key to the question. */
const SEARCH_AFTER_MS = 200;

/** @param go replaces the address by what is asked now */
export function StreamsView({ asked, go }: { asked: StreamsAsked; go: (asked: StreamsAsked) => void }) {
  const { search, sort, order, page } = asked;
  const status = useLive((live) => live.status);
  const path = withQuery('streams', {
    ...{ q: search, sort, order, history: 1, limit: PAGE_ROWS },
    offset: (page - 1) * PAGE_ROWS,
  });
  const { answer, latest, failed } = usePoll<StreamsAnswer>(path, POLL_MS);
  const columns = useColumns();
  const shown = answer ?? latest;
  const isEmpty = answer?.total === 0 && search === '';
  return (
    <>
      <h1>Streams</h1>
      {isEmpty && status ? (
        <Hints status={status} />
      ) : (
        <Panel
          title={shown ? counted(shown.total, 'stream') : 'Streams'}
          id="streams-title"
          aside={<Search search={search} go={(text) => go({ ...asked, search: text, page: 1 })} />}
        >
          <Failed failed={failed} />
          <Missing stale={shown?.stale} />
          {shown ? (
            <Table
              caption="Streams of the cluster"
              columns={columns}
              rows={shown.streams}
              keyOf={({ key }) => key}
              outside={{
                sorting: { column: sort, order: order === 'asc' ? 'up' : 'down' },
                ids: SORTS,
                sort: (column) => go({ ...asked, ...nextSort(asked, column), page: 1 }),
              }}
              empty={search === '' ? 'Nothing is live.' : `No stream has “${search}” in its key.`}
            />
          ) : (
            <Empty>Asking the nodes …</Empty>
          )}
          {shown && <Pages total={shown.total} page={page} go={(next) => go({ ...asked, page: next })} />}
        </Panel>
      )}
    </>
  );
}

function nextSort({ sort, order }: StreamsAsked, column: string): Pick<StreamsAsked, 'sort' | 'order'> {
  const next = SORTS.find((each) => each === column) ?? 'key';
  if (next !== sort) return { sort: next, order: usualOrder(next) };
  return { sort, order: order === 'asc' ? 'desc' : 'asc' };
}

function Search({ search, go }: { search: string; go: (text: string) => void }) {
  const [text, setText] = useState(search);
  const timer = useRef(0);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  const typed = (next: string) => {
    setText(next);
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => go(next.trim()), SEARCH_AFTER_MS);
  };
  return (
    <search>
      <label>
        <span class="hidden-text">Search keys</span>
        <input
          type="search"
          placeholder="Search keys"
          maxLength={129}
          value={text}
          onInput={(event) => typed(event.currentTarget.value)}
        />
      </label>
    </search>
  );
}

function Pages({ total, page, go }: { total: number; page: number; go: (page: number) => void }) {
  const pages = Math.max(1, Math.ceil(total / PAGE_ROWS));
  if (pages === 1 && page === 1) return null;
  return (
    <nav class="pages" aria-label="Pages of streams">
      <button type="button" disabled={page <= 1} onClick={() => go(Math.min(page - 1, pages))}>
        Before
      </button>
      <span>
        Page {count(page)} of {count(pages)}
      </span>
      <button type="button" disabled={page >= pages} onClick={() => go(page + 1)}>
        Next
      </button>
    </nav>
  );
}

function useColumns(): Column<StreamRow>[] {
  const now = useNow();
  return [
    { id: 'key', title: 'Stream', cell: ({ key }) => <a href={hashOf({ at: 'stream', key })}>{key}</a> },
    { id: 'state', title: 'State', cell: (row) => <StreamState row={row} /> },
    {
      id: 'origin',
      title: 'Origin',
      cell: ({ origin }) =>
        origin ? <a href={hashOf({ at: 'node', node: origin.node })}>{origin.node}</a> : NOTHING,
    },
    {
      id: 'nodes',
      title: 'Nodes',
      isNumeric: true,
      cell: ({ origin, replicas }) => count(replicas.length + (origin ? 1 : 0)),
    },
    {
      id: 'codecs',
      title: 'Codecs',
      cell: ({ video, audio, frameRate }) => (
        <>
          {codecs(video, audio)}
          {video !== null && frameRate !== null && frameRate > 0 && (
            <span class="quiet"> {frames(frameRate)}</span>
          )}
        </>
      ),
    },
    {
      id: 'bitsPerS',
      title: 'Bitrate',
      isNumeric: true,
      cell: ({ key, bitsPerS, history }) => (
        <span class="with-spark">
          <Sparkline label={`Bitrate of ${key}`} values={history?.bitsPerS} say={bits} />
          <span>{bits(bitsPerS)}</span>
        </span>
      ),
    },
    {
      id: 'players',
      title: 'Players',
      isNumeric: true,
      cell: ({ key, players, history }) => (
        <span class="with-spark">
          <Sparkline label={`Players of ${key}`} values={history?.players} say={count} />
          <span>{count(players)}</span>
        </span>
      ),
    },
    {
      id: 'since',
      title: 'For',
      isNumeric: true,
      cell: ({ origin }) => span(agoMs(origin?.since ?? null, now)),
    },
  ];
}

function StreamState({ row: { origin, backup } }: { row: StreamRow }) {
  const tone = origin === null ? 'bad' : origin.state === 'live' ? 'good' : 'warn';
  const word = origin === null ? 'no origin' : origin.state;
  return (
    <State tone={tone}>
      {word}
      {backup && <span class="tag">backup</span>}
    </State>
  );
}
