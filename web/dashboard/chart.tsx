// A chart over time by uPlot: lines in the page's colours, on one axis, and the figures under the cursor or of now. It draws
// on a canvas, so that the words beside it are what a screen reader has.
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { clockTime, NOTHING } from './format.ts';

interface ChartProps {
  readonly title: string;
  readonly names: readonly string[];
  /** Seconds since 1970, one for each value. */
  readonly times: readonly number[];
  /** One row for each name. */
  readonly values: readonly (readonly (number | null)[])[];
  readonly say: (value: number | null | undefined) => string;
  /** There is no half of what is counted. */
  readonly isWhole?: boolean;
}

const HEIGHT_PX = 150;
const AXIS_PX = 74;
const TIME_STEPS_S = [1, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
const WHOLE_STEPS = [1, 2, 5]
  .flatMap((step) => [0, 1, 2, 3, 4, 5, 6].map((power) => step * 10 ** power))
  .sort((one, other) => one - other);
const FONT = '11px system-ui, sans-serif';

export function Chart({ title, names, times, values, say, isWhole = false }: ChartProps) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const [cursor, setCursor] = useState<number | null>(null);
  const latestSay = useRef(say);
  latestSay.current = say;
  const shape = names.join('\n');
  const rows: uPlot.AlignedData = [[...times], ...values.map((row) => [...row])];
  const latestRows = useRef(rows);
  latestRows.current = rows;

  // Another set of lines is another chart.
  useEffect(() => {
    const root = frame.current;
    if (!root) return;
    const chart = new uPlot(
      optionsOf(root, { names, isWhole }, latestSay, setCursor),
      latestRows.current,
      root,
    );
    plot.current = chart;
    const resized = new ResizeObserver(() => {
      // In the next frame: a change of size inside of its own report is an error to browsers.
      requestAnimationFrame(() => chart.setSize({ width: root.clientWidth, height: HEIGHT_PX }));
    });
    resized.observe(root);
    const recolour = () => chart.redraw(false);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', recolour);
    addEventListener('tideway-theme', recolour);
    return () => {
      resized.disconnect();
      scheme.removeEventListener('change', recolour);
      removeEventListener('tideway-theme', recolour);
      chart.destroy();
      plot.current = undefined;
    };
  }, [shape]);

  useEffect(() => {
    plot.current?.setData(rows);
  }, [times, values]);

  const at = cursor ?? times.length - 1;
  return (
    <figure class="chart">
      <figcaption>
        <h3>{title}</h3>
        <ul class="legend">
          {names.map((name, line) => (
            <li key={name}>
              <span class={`swatch line-${line % 8}`} aria-hidden="true" />
              <span class="legend-name">{name}</span>{' '}
              <span class="legend-value">{values[line]?.length ? say(values[line]?.[at]) : NOTHING}</span>
            </li>
          ))}
        </ul>
      </figcaption>
      <div ref={frame} class="plot" aria-hidden="true">
        {names.map((name, line) => (
          <span key={name} class={`ink line-${line % 8}`} />
        ))}
        <span class="ink axis" />
        <span class="ink grid" />
      </div>
    </figure>
  );
}

function optionsOf(
  root: HTMLElement,
  { names, isWhole }: { readonly names: readonly string[]; readonly isWhole: boolean },
  say: { readonly current: ChartProps['say'] },
  setCursor: (at: number | null) => void,
): uPlot.Options {
  // Colours are the page's own, asked each time that it is drawn: they change with dark and light.
  const ink = (of: string) => () => {
    const sample = root.querySelector(`.ink.${of}`);
    return sample ? getComputedStyle(sample).color : 'gray';
  };
  const axis = {
    font: FONT,
    stroke: ink('axis'),
    ticks: { show: false },
    grid: { stroke: ink('grid'), width: 1 },
  };
  return {
    width: Math.max(root.clientWidth, 100),
    height: HEIGHT_PX,
    legend: { show: false },
    padding: [8, 8, 0, 0],
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { y: { range: (_chart, _least, most) => [0, most > 0 ? most * 1.15 : 1] } },
    axes: [
      {
        ...axis,
        ...{ size: 24, space: 80, grid: { show: false }, incrs: TIME_STEPS_S },
        values: (_chart, splits) => splits.map((split) => clockTime(split * 1000)),
      },
      {
        ...axis,
        size: AXIS_PX,
        space: 36,
        ...(isWhole && { incrs: WHOLE_STEPS }),
        values: (_chart, splits) => splits.map((split) => say.current(split)),
      },
    ],
    series: [
      {},
      ...names.map((name, line) => ({
        label: name,
        stroke: ink(`line-${line % 8}`),
        width: 1.5,
        points: { show: false },
      })),
    ],
    hooks: { setCursor: [({ cursor: { idx } }) => setCursor(idx ?? null)] },
  };
}
