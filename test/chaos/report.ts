// The figures of a run for people: the table of gaps, losses and reconnects.
import type { ChaosReport } from './chaos.ts';

/** Rows of names and values. */
export function figuresOf(report: ChaosReport): string {
  const { lost, gapsMs, settledMs } = report;
  const rows: readonly (readonly [string, string | number])[] = [
    ['network', report.network],
    ['rounds of faults', report.rounds],
    ['faults', `${report.faults.length}: ${countsOf(report.faults.map(({ fault }) => fault.kind))}`],
    ...report.missing.map(({ fault, why }) => [`not done: ${fault}`, why] as const),
    ['frames that players got', report.frames],
    ['lost though there was a way', lost.withWay],
    ['lost without a way', lost.withoutWay],
    ['gaps above 250 ms though there was a way', spreadOf(gapsMs)],
    ['players that came again, their node killed', report.playersAgain],
    ['players told no', listOf(report.refusedPlayers)],
    ['publishers that began again', report.publishersAgain],
    ['publishers whose provisional claim lost', report.publishersOutvoted],
    ['publishers told no', listOf(report.refusedPublishers)],
    ['longest without a publisher', `${report.longestOffAirMs} ms`],
    ['at rest after the last fault', spreadOf(settledMs)],
    ['most memory of a node', `${Math.round(report.mostResidentBytes / 2 ** 20)} MiB`],
    ['slowest answer to health and metrics', `${report.worstAnswerMs} ms`],
    ['longest stall of the harness', `${report.harnessStallMs} ms`],
    ['rules broken', report.violations.length],
  ];
  return rows.map(([name, value]) => `${name.padEnd(44)} ${value}`).join('\n');
}

/** `12: median 300, 99 % 800, most 900 ms` */
export function spreadOf(values: readonly number[]): string {
  if (values.length === 0) return 'none';
  const sorted = [...values].sort((one, other) => one - other);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return `${sorted.length}: median ${at(0.5)}, 99 % ${at(0.99)}, most ${sorted.at(-1)} ms`;
}

function countsOf(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => `${count} ${name}`).join(', ');
}

function listOf(counts: Readonly<Record<string, number>>): string {
  const words = Object.entries(counts).map(([how, count]) => `${count} by "${how}"`);
  return words.length === 0 ? 'none' : words.join(', ');
}
