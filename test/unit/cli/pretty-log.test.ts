import { expect, test } from 'vitest';
import { createLog } from '../../../src/base/log.ts';
import { prettyLine } from '../../../src/cli/pretty-log.ts';

/** What is shown of one line. */
function shown(fields: object, event: string, colors = false): string {
  let text = '';
  const line = prettyLine({ colors });
  const log = createLog(
    { level: 'info', node: 'node-1' },
    {
      write: (json) => {
        text += line(json);
      },
    },
  );
  log.info(fields, event);
  return text;
}

test('a line has its time, its level, the event, its stream and its fields', () => {
  const text = shown(
    { stream: 'live/show', session: 'abc', epoch: 7, isDialled: true, skipped: undefined },
    'relay.start',
  );
  expect(text).toMatch(
    /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: relay\.start live\/show session=abc epoch=7 isDialled=true\n$/,
  );
});

test('what others wrote stays within its line, and orders a terminal to do nothing', () => {
  const text = shown({ detail: 'a\n[00:00] INFO: node.stop \u001b[2J\u009b2J\u2028"' }, 'http.refused');
  expect(text.trimEnd().split('\n')).toHaveLength(1);
  expect(text).toContain('detail="a\\n[00:00] INFO: node.stop \\u001b[2J\\u009b2J\\u2028\\""');
});

test('secrets are as they are in JSON, and an error has its stack', () => {
  const text = shown({ query: 'key=s3cret', err: new Error('it broke') }, 'http.request-failed');
  expect(text).not.toContain('s3cret');
  expect(text).toContain('query="[Redacted]"');
  expect(text).toMatch(/Error: it broke\n\s+at /);
});

test('colours are there for who shows them', () => {
  expect(shown({}, 'node.stop', true)).toContain('\u001b[32mINFO');
  expect(shown({}, 'node.stop')).not.toContain('\u001b');
});
