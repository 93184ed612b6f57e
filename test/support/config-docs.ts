// What config.example.yaml and the table in docs/configuration.md have to say, made from the schema.
import { type ConfigKey, configKeys, defaultText } from '../../src/config/schema.ts';

const EXAMPLE_HEAD = `# Every key of Tideway, with its default. Copy what you change, and start with it:
#
#   tideway start --config config.yaml
#
# The environment (TIDEWAY_RTMP_PORT=1936) wins over this file, a flag (--rtmp.port 1936) over both.
# A key without a value has the default that its comment names.
`;

/** The text of config.example.yaml. */
export function exampleYaml(): string {
  const opened = new Set<string>();
  const lines = configKeys.flatMap((key) => {
    const sections = key.path.split('.');
    const name = sections.pop() ?? '';
    const opens = sections.flatMap((section, depth) => {
      const path = sections.slice(0, depth + 1).join('.');
      if (opened.has(path)) return [];
      opened.add(path);
      return [...(depth === 0 ? [''] : []), `${'  '.repeat(depth)}${section}:`];
    });
    const indent = '  '.repeat(sections.length);
    const value = key.unset === undefined ? ` ${yamlValue(key)}` : '';
    return [
      ...(sections.length === 0 ? [''] : opens),
      ...comments(key).map((line) => `${indent}# ${line}`),
      `${indent}${name}:${value}`,
    ];
  });
  return [EXAMPLE_HEAD.trimEnd(), ...lines, ''].join('\n');
}

function comments(key: ConfigKey): string[] {
  return [
    key.help,
    `Allowed: ${key.allowed}.`,
    ...(key.unset === undefined ? [] : [`Without a value: ${key.unset}.`]),
  ];
}

function yamlValue(key: ConfigKey): string {
  const text = defaultText(key);
  return /^[A-Za-z0-9.]+$/.test(text) ? text : `'${text}'`;
}

/** The table of docs/configuration.md, one row a key. */
export function markdownTable(): string {
  const rows = configKeys.map((key) => {
    const fallback = key.unset ?? `\`${defaultText(key)}\``;
    const changes = key.isLive ? 'live' : 'restart';
    return `| \`${key.path}\` | \`${key.env}\` | ${fallback} | ${key.help} | ${key.allowed} | ${changes} |`;
  });
  const head = [
    '| key | environment | default | what it does | allowed | change |',
    '|---|---|---|---|---|---|',
  ];
  return [...head, ...rows].join('\n');
}
