import { describe, expect, test } from 'vitest';
import { createLog } from '../../../src/base/log.ts';

function capture(level: 'debug' | 'info' | 'silent'): {
  lines: () => unknown[];
  log: ReturnType<typeof createLog>;
} {
  const written: string[] = [];
  const log = createLog({ level, node: 'node-1' }, { write: (line) => void written.push(line) });
  return { log, lines: () => written.map((line) => JSON.parse(line) as unknown) };
}

describe('the log', () => {
  test('writes one event a line, with the node, the level by name and the time', () => {
    const { log, lines } = capture('info');
    log.debug({}, 'test.hidden');
    log.info({ stream: 'live/a' }, 'test.event');
    log.error({}, 'test.error');
    expect(lines()).toMatchObject([
      { level: 'info', node: 'node-1', stream: 'live/a', event: 'test.event' },
      { level: 'error', event: 'test.error' },
    ]);
    expect(lines()[0]).toHaveProperty('time', expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/));
  });

  test('never shows secrets, queries or addresses that carry them, at the top or one level down', () => {
    const { log, lines } = capture('info');
    const secrets = {
      secret: 's1',
      password: 's1',
      token: 's1',
      query: '?key=s1',
      url: 'u?s1',
      tcUrl: 'u?s1',
      authorization: 's1',
    };
    log.warn({ ...secrets, request: secrets }, 'test.event');
    expect(JSON.stringify(lines())).not.toContain('s1');
    expect(JSON.stringify(lines())).toContain('[Redacted]');
  });

  test('says nothing when it is silent', () => {
    const { log, lines } = capture('silent');
    log.error({}, 'test.error');
    expect(lines()).toEqual([]);
  });
});
