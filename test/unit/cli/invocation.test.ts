import { expect, test } from 'vitest';
import { TidewayError } from '../../../src/base/errors.ts';
import { parseInvocation } from '../../../src/cli/invocation.ts';

const parse = (line: string) => parseInvocation(line.split(' ').filter((word) => word !== ''));

test('start takes a file and any key of the configuration', () => {
  expect(parse('start --config a.yaml --rtmp.port 1936 --http.port=0 --log.level debug')).toEqual({
    run: 'start',
    configPath: 'a.yaml',
    flags: { 'rtmp.port': '1936', 'http.port': '0', 'log.level': 'debug' },
  });
  expect(parse('--rtmp.port 1936 start -c a.yaml')).toMatchObject({ run: 'start', configPath: 'a.yaml' });
  expect(parse('start')).toEqual({ run: 'start', configPath: undefined, flags: {} });
});

test('of a flag given twice the last counts', () => {
  expect(parse('start --rtmp.port 1 --rtmp.port 2')).toMatchObject({ flags: { 'rtmp.port': '2' } });
});

const ASK = { url: undefined, token: undefined, isJson: false };

test('what asks a node takes where to ask, with what, and how to show it', () => {
  expect(parse('nodes')).toEqual({ run: 'nodes', ask: ASK });
  expect(parse('--json streams --url http://10.0.0.2:8080 --token abc --limit 5')).toEqual({
    run: 'streams',
    ask: { url: 'http://10.0.0.2:8080', token: 'abc', isJson: true },
    query: { limit: '5' },
  });
  const asking = [
    'status',
    'nodes',
    'links',
    'streams',
    'stream a/b',
    'sessions',
    'kick abcd',
    'alarms',
    'events',
  ];
  for (const line of [...asking, 'traffic', 'top', 'why a/b', 'drain']) {
    expect(parse(`${line} --json --url http://h:1 --token t`), line).toMatchObject({
      run: line.split(' ')[0],
      ask: { url: 'http://h:1', token: 't', isJson: true },
    });
  }
});

test.each([
  ['status', { run: 'status', isQuiet: false }],
  ['status -q', { run: 'status', isQuiet: true }],
  ['streams --search sho --sort bitrate', { run: 'streams', query: { q: 'sho', sort: 'bitsPerS' } }],
  ['streams live/show', { run: 'stream', key: 'live/show' }],
  ['stream live/show', { run: 'stream', key: 'live/show' }],
  [
    'sessions --stream live/show --kind player --state ended --node a --limit 7',
    {
      run: 'sessions',
      query: { stream: 'live/show', kind: 'player', state: 'ended', node: 'a', limit: '7' },
    },
  ],
  ['links --node a', { run: 'links', query: { node: 'a' } }],
  ['sessions', { run: 'sessions', query: { state: 'open' } }],
  ['sessions --state all', { run: 'sessions', query: {} }],
  ['kick abcd1234', { run: 'kick', session: 'abcd1234' }],
  ['alarms --stream live/show', { run: 'alarms', query: { stream: 'live/show' } }],
  ['events --node a', { run: 'events', query: { node: 'a' }, follows: false }],
  ['events -f', { run: 'events', query: {}, follows: true }],
  ['traffic --by regions', { run: 'traffic', query: { by: 'regions' } }],
  ['top', { run: 'top', view: { rows: 'streams', sort: 'players' }, limit: '100', looks: undefined }],
  [
    'top --nodes --sort since -n 1 --limit 9',
    { run: 'top', view: { rows: 'nodes', sort: 'since' }, limit: '9', looks: 1 },
  ],
  ['why live/show', { run: 'why', query: { stream: 'live/show' } }],
  [
    'why --cluster --limit 5 live/show',
    { run: 'why', query: { stream: 'live/show', scope: 'cluster', limit: '5' } },
  ],
])('"%s" is read', (line, invocation) => {
  expect(parse(line)).toEqual({ ask: ASK, ...invocation });
});

test('drain takes a deadline, and is undone by name', () => {
  const ask = ASK;
  const begin = { is: 'begin', deadlineSeconds: undefined, waits: false };
  expect(parse('drain')).toEqual({ run: 'drain', ask, order: begin });
  expect(parse('drain --deadline 600 --wait')).toEqual({
    ...{ run: 'drain', ask },
    order: { is: 'begin', deadlineSeconds: 600, waits: true },
  });
  expect(parse('drain --undo')).toEqual({ run: 'drain', ask, order: { is: 'undo' } });
});

test.each([
  ['--help', 'tideway'],
  ['-h', 'tideway'],
  ['help', 'tideway'],
  ['help start', 'start'],
  ['start --help', 'start'],
  ['help nonsense', 'tideway'],
  ['help nodes', 'nodes'],
  ['streams --help', 'streams'],
  ['help why', 'why'],
  ['why --help', 'why'],
])('"%s" helps with %s', (line, about) => {
  expect(parse(line)).toEqual({ run: 'help', about });
});

test.each([
  ['why live', 'live'],
  ['stream live/a/b', 'live/a/b'],
  ['stream /', '/'],
  ['alarms --stream live/a?x', 'live/a?x'],
  ['sessions --stream ../nodes', '../nodes'],
])('"%s" names no stream', (line, key) => {
  expect(() => parse(line)).toThrow(
    expect.objectContaining({
      code: 'cli.usage',
      message: expect.stringMatching(`^"${key.replace('?', '.')}": a stream key is app/name: `),
    }),
  );
});

test.each(['--version', '-v', 'start --version'])('"%s" asks for the version', (line) => {
  expect(parse(line)).toEqual({ run: 'version' });
});

test.each([
  ['', 'which command? "tideway start" runs a node, "tideway help" tells more'],
  ['strat', 'no such command: "strat"; did you mean start?'],
  ['publish', 'no such command: "publish"; "tideway help" lists all'],
  ['start now', 'start takes flags only, not "now"'],
  ['start --rtmp.prot 1', 'no such flag: --rtmp.prot; did you mean --rtmp.port?'],
  ['start --frobnicate', 'no such flag: --frobnicate; "tideway start --help" lists all'],
  ['start -x', 'no such flag: -x; "tideway start --help" lists all'],
  ['start --rtmp.port', '--rtmp.port needs a value'],
  ['start --config', '--config needs a value'],
  ['start --json', 'no such flag: --json; "tideway start --help" lists all'],
  ['node', 'no such command: "node"; did you mean nodes?'],
  ['nodes --limit 5', 'no such flag: --limit; "tideway nodes --help" lists all'],
  ['nodes --rtmp.port 5', 'no such flag: --rtmp.port; "tideway nodes --help" lists all'],
  ['streams --limt 5', 'no such flag: --limt; did you mean --limit?'],
  ['nodes live/show', 'nodes takes flags only, not "live/show"'],
  ['streams live/show --limit 5', '--limit is for the list, not for one stream'],
  ['streams live/a live/b', 'streams takes one app/name, not also "live/b"'],
  ['streams --sort size', '--sort wants key, players, bitrate, nodes or since'],
  ['streams --limit 0', '--limit wants a whole number, like 100'],
  ['streams --limit 1e3', '--limit wants a whole number, like 100'],
  ['top -n -1', '--count wants a whole number, like 100'],
  ['top --count few', '--count wants a whole number, like 100'],
  ['sessions --kind viewer', '--kind wants publisher or player'],
  ['events --node a/b', '--node wants the id of a node'],
  ['traffic --by cost', '--by wants node, stream, protocol, regions or all'],
  ['kick', 'kick of what? "tideway kick session"'],
  ['kick ../nodes', 'kick wants the id of a session, as "tideway sessions" lists it'],
  ['status --follow', 'no such flag: --follow; "tideway status --help" lists all'],
  ['why', 'why of what? "tideway why app/name"'],
  ['why live/a live/b', 'why takes one app/name, not also "live/b"'],
  ['streams --json=yes', '--json takes no value'],
  ['streams --url 10.0.0.2:8080', '--url wants the address of a node, like http://127.0.0.1:8080'],
  ['drain --undo --wait', '--undo goes with neither --wait nor --deadline'],
  ['drain --undo --deadline 5', '--undo goes with neither --wait nor --deadline'],
  ['drain --deadline soon', '--deadline wants a whole number of seconds, like 600'],
  ['drain --deadline -5', '--deadline wants a whole number of seconds, like 600'],
  ['streams --url http://', '--url wants the address of a node, like http://127.0.0.1:8080'],
])('"%s" is refused in one line', (line, message) => {
  expect(() => parse(line)).toThrow(TidewayError);
  expect(() => parse(line)).toThrow(expect.objectContaining({ code: 'cli.usage', message }));
});
