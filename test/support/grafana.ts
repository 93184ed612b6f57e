// The Grafana dashboard in deploy/, as what it asks Prometheus for.
import { readFileSync } from 'node:fs';

export const dashboardText = readFileSync('deploy/grafana/tideway.json', 'utf8');

interface Panel {
  readonly panels?: readonly Panel[];
  readonly targets?: readonly { readonly expr: string }[];
}

/** Expressions of all its panels and variables, with values in place of Grafana's variables. */
export function dashboardExpressions(): string[] {
  const { panels, templating } = JSON.parse(dashboardText) as {
    readonly panels: readonly Panel[];
    readonly templating: { readonly list: readonly { readonly definition?: string }[] };
  };
  const all = panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
  const asked = all.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  const listed = templating.list.flatMap(({ definition }) => {
    const [, selector, label] = /^label_values\((.*), (\w+)\)$/.exec(definition ?? '') ?? [];
    return selector === undefined ? [] : [`count by (${label}) (${selector})`];
  });
  return [...asked, ...listed].map((expr) =>
    expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$(node|region|stream)/g, '.*'),
  );
}
