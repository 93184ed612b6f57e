// The recent past of one figure, drawn small.
import { sparkPath, sparkWords } from './series.ts';

const WIDTH = 96;
const HEIGHT = 24;

export function Sparkline({
  values,
  label,
  say,
}: {
  values: readonly number[] | undefined;
  label: string;
  say: (value: number) => string;
}) {
  const known = values ?? [];
  const path = sparkPath(known, WIDTH, HEIGHT);
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      width={WIDTH}
      height={HEIGHT}
      preserveAspectRatio="none"
      role="img"
      aria-label={`${label}: ${sparkWords(known, say)}`}
    >
      {path !== '' && <path class="spark-area" d={`${path}V${HEIGHT}H0Z`} />}
      <path class="spark-line" d={path || `M0 ${HEIGHT - 1}H${WIDTH}`} />
    </svg>
  );
}
