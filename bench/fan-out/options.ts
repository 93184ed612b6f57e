// What a run of the benchmark is told on its command line, and the two sizes of it: whole and quick.
import { parseArgs } from 'node:util';
import { CASE_NAMES, type CaseName } from './cases/names.ts';
import { SUBJECTS, type SubjectName } from './subjects/subject.ts';

export const USAGE = `npm run bench -- [options]
  --quick            all cases, small and once, in under two minutes
  --cases LIST       some of: ${CASE_NAMES.join(', ')} (all)
  --subjects LIST    some of: ${SUBJECTS.join(', ')} (all that are installed)
  --rounds N         how often each figure is measured; the table shows medians (3; quick: 1)
  --seconds N        of each measured window (10; quick: 2)
  --slow-seconds N   how long players stay frozen (60; quick: 6)
  --churn-minutes N  of joining and leaving (10; quick: 0.1)
  --players N        the size of every case that has players (as each case has it)
  --mbps N           only sizes whose streams have so many Mbit/s, 1 or 4 (all)
  --json FILE        writes {machine, options, bars, rows: [{case, subject, players, mbps, cpuSecondsPerGB, delayMs: {p50, p99},
                     delivery, rssPerPlayerKB, ...}]}`;

export interface Size {
  readonly players: number;
  readonly mbps: number;
}

export interface Options {
  readonly cases: readonly CaseName[];
  readonly subjects: readonly SubjectName[];
  readonly rounds: number;
  readonly seconds: number;
  readonly slowSeconds: number;
  readonly churnMinutes: number;
  /** Undefined: as each case has it. */
  readonly players: number | undefined;
  /** Mbit/s of the streams. */
  readonly mbps: number | undefined;
  readonly isQuick: boolean;
  /** For what has just begun or ended to come to rest, ms. */
  readonly restMs: number;
  readonly json: string | undefined;
}

/**
 * The options of a command line; undefined: it asks for help.
 * @throws Error that names what is wrong with it
 */
export function readOptions(args: readonly string[]): Options | undefined {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ cases: text, subjects: text, rounds: text, seconds: text, players: text, mbps: text, json: text },
      ...{ 'churn-minutes': text, 'slow-seconds': text },
      ...{ quick: { type: 'boolean' }, help: { type: 'boolean' } },
    },
  });
  if (values.help) return undefined;
  const isQuick = values.quick ?? false;
  const numberOr = (name: keyof typeof values, whole: number, quick: number) => {
    const given = values[name];
    return given === undefined ? (isQuick ? quick : whole) : positive(name, String(given));
  };
  const seconds = numberOr('seconds', 10, 2);
  return {
    cases: namesIn('cases', values.cases, CASE_NAMES),
    subjects: namesIn('subjects', values.subjects, SUBJECTS),
    rounds: Math.ceil(numberOr('rounds', 3, 1)),
    seconds,
    slowSeconds: numberOr('slow-seconds', 60, 6),
    churnMinutes: numberOr('churn-minutes', 10, 0.1),
    mbps: values.mbps === undefined ? undefined : positive('mbps', values.mbps),
    players: values.players === undefined ? undefined : Math.ceil(positive('players', values.players)),
    isQuick,
    restMs: isQuick ? seconds * 150 : 2_500,
    json: values.json,
  };
}

function namesIn<Name extends string>(
  option: string,
  given: string | undefined,
  all: readonly Name[],
): readonly Name[] {
  if (given === undefined) return all;
  return given.split(',').map((text) => {
    const name = all.find((each) => each === text.trim());
    if (!name) throw new Error(`--${option}: there is no "${text}"; there are ${all.join(', ')}`);
    return name;
  });
}

function positive(name: string, given: string): number {
  const number = Number(given);
  if (!(number > 0 && number < 1e6)) throw new Error(`--${name}: "${given}" is no number above 0`);
  return number;
}
