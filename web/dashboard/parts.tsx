// Small pieces that all views are made of: states with a word and a sign, bars, figures, what is missing or old.
import type { ComponentChildren } from 'preact';
import type { StaleNode } from '../../src/http/forms/common.ts';
import type { ApiError } from './api.ts';
import { counted, percent } from './format.ts';

/** Each has a sign of its own shape, so that colour says nothing alone. */
export type Tone = 'good' | 'warn' | 'bad' | 'quiet' | 'accent';

const SIGNS: Readonly<Record<Tone, string>> = { good: '●', warn: '◆', bad: '▲', quiet: '○', accent: '■' };

export function State({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return (
    <span class={`state ${tone}`}>
      <span class="sign" aria-hidden="true">
        {SIGNS[tone]}
      </span>
      {children}
    </span>
  );
}

/** A share as a bar with its figure. Of what nobody knows, only the figure. */
export function Meter({ share, label }: { share: number | null; label?: string }) {
  const known = share === null || !Number.isFinite(share) ? null : Math.min(1, Math.max(0, share));
  return (
    <span class={`meter ${known === null ? 'quiet' : toneOfShare(known)}`}>
      {known !== null && (
        <span class="meter-bar" aria-hidden="true">
          <span style={{ width: `${known * 100}%` }} />
        </span>
      )}
      <span class="meter-text">{label ?? percent(share)}</span>
    </span>
  );
}

function toneOfShare(share: number): Tone {
  return share >= 0.9 ? 'bad' : share >= 0.7 ? 'warn' : 'accent';
}

/** One of the large figures at the head of a view. */
export function Figure({
  label,
  value,
  note,
  tone,
}: {
  label: string;
  value: ComponentChildren;
  note?: ComponentChildren;
  tone?: Tone;
}) {
  return (
    <div class={`figure ${tone ?? ''}`}>
      <dt>{label}</dt>
      <dd>
        <span class="figure-value">{value}</span>
        {note !== undefined && note !== '' && <span class="figure-note">{note}</span>}
      </dd>
    </div>
  );
}

/** A part of a view with its heading. */
export function Panel({
  title,
  id,
  aside,
  class: name = '',
  children,
}: {
  title: string;
  id: string;
  aside?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}) {
  return (
    <section class={`panel ${name}`} aria-labelledby={id}>
      <div class="panel-head">
        <h2 id={id}>{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  );
}

/** Names and values, side by side. */
export function Facts({ rows }: { rows: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

const WHY: Readonly<Record<StaleNode['why'], string>> = {
  'no-link': 'no link to it',
  'no-answer': 'no answer in time',
  failed: 'it failed',
};
const MOST_NAMED = 5;

/** What of an answer is missing, since nodes did not answer. */
export function Missing({ stale }: { stale: readonly StaleNode[] | undefined }) {
  if (!stale || stale.length === 0) return null;
  const named = stale.slice(0, MOST_NAMED).map(({ node, why }) => `${node} (${WHY[why] ?? why})`);
  const more = stale.length - named.length;
  return (
    <p class="notice warn">
      <State tone="warn">{counted(stale.length, 'node')} did not answer:</State> {named.join(', ')}
      {more > 0 && ` and ${more} more`}. What {stale.length === 1 ? 'it knows' : 'they know'} is missing here.
    </p>
  );
}

/** Why there is nothing, or nothing new, to show. */
export function Failed({ failed }: { failed: ApiError | undefined }) {
  if (!failed) return null;
  return (
    <p class="notice warn">
      <State tone="warn">Not up to date:</State> {failed.message}. Trying again.
    </p>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}
