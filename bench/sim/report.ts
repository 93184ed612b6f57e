// What a simulation is told as: a row for each promise, with its figure and its bar. Pure.
import type { SmallFigures } from './small.ts';
import type { SteadyFigures } from './steady.ts';
import type { SurgeFigures } from './surge.ts';

export interface Figures {
  readonly steady?: SteadyFigures;
  readonly surge?: SurgeFigures;
  readonly small?: SmallFigures;
}

export interface Row {
  readonly what: string;
  readonly figure: number;
  readonly bar: string;
  readonly isMet: boolean;
}

export function rowsOf({ steady, surge, small }: Figures): Row[] {
  return [
    ...(steady ? steadyRows(steady) : []),
    ...(surge ? surgeRows(surge) : []),
    ...(small ? smallRows(small) : []),
  ];
}

export function tableOf(rows: readonly Row[]): string {
  const lines = rows.map(({ what, figure, bar, isMet }) => [
    what,
    short(figure),
    bar,
    isMet ? 'met' : 'MISSED',
  ]);
  const all = [['what', 'figure', 'bar', 'verdict'], ['---', '---', '---', '---'], ...lines];
  return all.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function steadyRows({ fill, steady, join, die, rest, trees, longestDeadMs }: SteadyFigures): Row[] {
  const even = 'busiest node over the mean of its region';
  const rush = 'arrivals at a node over its share, at most';
  return [
    atMost(`${even}, steady, worst second`, steady.imbalance, 1.3),
    atMost(`${even}, second half after 10 % of the nodes joined`, join.imbalance, 1.3),
    atMost('seconds until it was even after they joined', join.evenAfterMs / 1_000, 30),
    atMost(`${even}, second half after 10 % died`, die.imbalance, 1.3),
    atMost('seconds until it was even after they died', die.evenAfterMs / 1_000, 30),
    ...[
      atMost(`${rush}, while the cluster fills`, fill.rush, 3),
      atMost(`${rush}, steady`, steady.rush, 3),
      atMost(`${rush}, nodes join`, join.rush, 3),
      atMost(`${rush}, nodes die`, die.rush, 3),
    ],
    atMost(
      'regions that play a stream and get other than one copy over a priced border, at rest',
      rest.faults,
      0,
    ),
    atMost('links from an origin to its furthest replica', trees.deepest, 4),
    atMost('cycles', trees.cycles, 0),
    atMost('children of a node', trees.mostChildren, 64),
    atMost('seconds after which a dead node was still named', longestDeadMs / 1_000, 5.5),
  ];
}

function surgeRows(surge: SurgeFigures): Row[] {
  return [
    below('copies that the origin of the surge sends, at most', surge.mostCopies, 8),
    atMost('arrivals at a node over its share in the surge, at most', surge.rush, 3),
    atMost('links from the origin of the surge to the furthest replica', surge.deepest, 4),
    atMost('busiest node over the mean of its region at the end of the surge', surge.imbalance, 1.3),
    atMost('asks in the surge that no node was left for', surge.unmet, 0),
  ];
}

function smallRows({ mean, worst, over }: SmallFigures): Row[] {
  return [
    atMost('price of small trees over the best, all cases together', mean, 1.15),
    atMost('the same, the worst case', worst, 1.15),
    atMost('cases above 1.15', over, 0),
  ];
}

function atMost(what: string, figure: number, most: number): Row {
  return { what, figure, bar: `<= ${most}`, isMet: figure <= most };
}

function below(what: string, figure: number, bar: number): Row {
  return { what, figure, bar: `< ${bar}`, isMet: figure < bar };
}

function short(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(Math.abs(value) < 1.1 ? 3 : 2);
}
