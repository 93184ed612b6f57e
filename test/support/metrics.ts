// Reads what /metrics answers, and the table of docs/metrics.md.

export interface Family {
  readonly type: string;
  readonly help: string;
  /** Names of the labels of its samples. */
  readonly labels: ReadonlySet<string>;
  /** By label text (`code="rtmp.unread"`), '' without labels. Of a histogram none. */
  readonly samples: ReadonlyMap<string, number>;
}

const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** Families by name, in their order. @throws Error for a line that is none of Prometheus's text format */
export function readMetrics(text: string): ReadonlyMap<string, Family> {
  const families = new Map<string, Family & { labels: Set<string>; samples: Map<string, number> }>();
  let help = '';
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, kind, named = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === 'HELP') help = rest;
    else if (kind === 'TYPE')
      families.set(named, { type: rest, help, labels: new Set(), samples: new Map() });
    if (kind !== undefined) continue;
    const [, name = '', labels = '', value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    const base = families.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '');
    const family = families.get(base);
    if (!family || value === undefined) throw new Error(`this is no line of metrics: ${line}`);
    for (const [, label = ''] of labels.matchAll(LABEL)) if (label !== 'le') family.labels.add(label);
    if (base === name) family.samples.set(labels, Number(value));
  }
  return families;
}

/** A row of docs/metrics.md. */
export interface MetricRow {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

export function metricRows(markdown: string): MetricRow[] {
  const rows = markdown.matchAll(/^\| `([^`]+)` \| (\w+) \| ([^|]*) \| ([^|]*) \|$/gm);
  return [...rows].map(([, name = '', type = '', labels = '', help = '']) => ({
    ...{ name, type, help },
    labels: [...labels.matchAll(/`([^`]+)`/g)].map(([, label = '']) => label).sort(),
  }));
}

/** The row that docs/metrics.md is to have for a family. */
export function rowText(name: string, { type, help, labels }: Family): string {
  const named = [...labels].sort().map((label) => `\`${label}\``);
  return `| \`${name}\` | ${type} | ${named.join(', ')} | ${help.replaceAll('|', '/')} |`;
}

/** Names of metrics and of labels in a PromQL expression. */
export function namesIn(expression: string): { readonly metrics: string[]; readonly labels: string[] } {
  const bare = expression.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""');
  const metrics = bare.match(/\b(?:tideway|nodejs|process)_\w+/g) ?? [];
  const matched = [...bare.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*""/g)].map(([, label = '']) => label);
  const grouped = [...bare.matchAll(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g)];
  const listed = grouped.flatMap(([, list = '']) => list.split(',').map((label) => label.trim()));
  return { metrics, labels: [...matched, ...listed].filter((label) => label !== '') };
}
