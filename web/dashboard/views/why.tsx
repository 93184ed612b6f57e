// Why nodes were chosen: each decision with what was weighed, and what each part of it came to.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { DecisionRow, DecisionsAnswer } from '../../../src/http/forms/decisions.ts';
import { bitsOfBytes, counted, moment } from '../format.ts';
import { Empty, Failed, Missing, Panel, State } from '../parts.tsx';
import { hashOf, isStreamKey, withQuery } from '../route.ts';
import { useNow, usePoll } from '../services.ts';

const POLL_MS = 3000;
const MOST = 50;
const MOST_WEIGHED = 8;
const ASK_AFTER_MS = 300;
const KINDS: Readonly<Record<DecisionRow['kind'], string>> = {
  play: 'Where to play',
  publish: 'Where to publish',
  redirect: 'Player sent on',
  preload: 'Copy made ready',
  reconnect: 'Publisher sent on',
  upstream: 'Whom to pull from',
};

/** @param go replaces the address by the stream that is asked for */
export function WhyView({ stream, go }: { stream: string; go: (stream: string) => void }) {
  const now = useNow();
  const asked = stream === '' || isStreamKey(stream);
  const path = asked ? withQuery('decisions', { stream, scope: 'cluster', limit: MOST }) : '';
  const { answer, failed } = usePoll<DecisionsAnswer>(path, POLL_MS);
  return (
    <>
      <h1>Why</h1>
      <Panel
        title={stream === '' ? 'Decisions of all streams' : `Decisions about ${stream}`}
        id="why-title"
        aside={<StreamField stream={stream} go={go} />}
      >
        <Failed failed={failed} />
        <Missing stale={answer?.stale} />
        {!asked && <Empty>A stream is named app/name, such as live/demo.</Empty>}
        {asked && !answer && !failed && <Empty>Asking the nodes …</Empty>}
        {answer?.decisions.length === 0 && (
          <Empty>Nothing was decided of late. Each node keeps its last decisions in memory.</Empty>
        )}
        <ol class="decisions">
          {answer?.decisions.map((decision) => (
            <Decision key={`${decision.by} ${decision.id} ${decision.time}`} decision={decision} now={now} />
          ))}
        </ol>
      </Panel>
    </>
  );
}

function StreamField({ stream, go }: { stream: string; go: (stream: string) => void }) {
  const [text, setText] = useState(stream);
  const timer = useRef(0);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  return (
    <search>
      <label>
        <span class="hidden-text">Stream</span>
        <input
          type="search"
          placeholder="app/name"
          maxLength={129}
          value={text}
          onInput={(event) => {
            const next = event.currentTarget.value;
            setText(next);
            window.clearTimeout(timer.current);
            timer.current = window.setTimeout(() => go(next.trim()), ASK_AFTER_MS);
          }}
        />
      </label>
    </search>
  );
}

/** A part of a score, or of a cost. */
interface Weighed {
  readonly node: string;
  readonly total: number;
  readonly parts: readonly (readonly [string, number])[];
  readonly note: string;
}

function Decision({ decision, now }: { decision: DecisionRow; now: number }) {
  const { kind, by, time, stream, node, why, place, filtered } = decision;
  const weighed = weighedIn(decision);
  const most = Math.max(...weighed.map(({ parts }) => positive(parts)), Number.MIN_VALUE);
  return (
    <li>
      <div class="decision-head">
        <strong>{KINDS[kind] ?? kind}</strong>
        {stream !== null && <a href={hashOf({ at: 'stream', key: stream })}>{stream}</a>}
        <span>
          {node === null ? (
            <State tone="bad">nobody was left</State>
          ) : (
            <State tone="good">
              <a href={hashOf({ at: 'node', node })}>{node}</a>
            </State>
          )}
        </span>
        <span class="quiet">
          <time dateTime={time}>{moment(time, now)}</time>, by {by}
          {place &&
            `, for ${[place.region, place.zone].filter((part) => part !== '').join('/') || 'no region'}`}
        </span>
      </div>
      <p>{why}</p>
      {weighed.length > 0 && (
        <ul class="weighed">
          {weighed.slice(0, MOST_WEIGHED).map(({ node: candidate, total, parts, note }) => (
            <li key={candidate} class={candidate === node ? 'chosen' : ''}>
              <span class="weighed-node">
                {candidate}
                {candidate === node && <span class="tag">chosen</span>}
              </span>
              <span class="weighed-bar" aria-hidden="true">
                {parts.map(([name, value], at) => (
                  <span
                    key={name}
                    class={`line-${at % 8}`}
                    title={`${name} ${value.toFixed(2)}`}
                    style={{ width: `${(Math.max(0, value) / most) * 100}%` }}
                  />
                ))}
              </span>
              <span class="weighed-total">{score(total)}</span>
              <span class="weighed-parts">
                {parts
                  .filter(([, value]) => value !== 0)
                  .map(([name, value]) => `${name} ${score(value)}`)
                  .join(', ')}
                {note}
              </span>
            </li>
          ))}
        </ul>
      )}
      {weighed.length > MOST_WEIGHED && (
        <p class="quiet">And {weighed.length - MOST_WEIGHED} that were worse.</p>
      )}
      {filtered.length > 0 && (
        <p class="quiet">
          Could not be chosen:{' '}
          {filtered
            .map(
              ({ reason, count, nodes }) => `${counted(count, 'node')} for ${reason} (${nodes.join(', ')})`,
            )
            .join('; ')}
        </p>
      )}
    </li>
  );
}

function weighedIn({ considered, parents }: DecisionRow): Weighed[] {
  return [
    ...considered.map(({ node, score: total, parts, promised, region }) => ({
      ...{ node, total, parts: Object.entries(parts) },
      note:
        (region === '' ? '' : ` · ${region}`) +
        (promised.players > 0
          ? ` · ${counted(Math.round(promised.players), 'player')} promised, ${bitsOfBytes(promised.bytesPerS)}`
          : ''),
    })),
    ...parents.map(({ node, total, parts }) => ({ node, total, parts: Object.entries(parts), note: '' })),
  ];
}

function positive(parts: Weighed['parts']): number {
  return parts.reduce((sum, [, value]) => sum + Math.max(0, value), 0);
}

function score(value: number): string {
  return String(Number(value.toFixed(Math.abs(value) < 10 ? 2 : 0)));
}
