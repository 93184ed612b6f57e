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

test('nodes and streams take where to ask, with what, and how to show it', () => {
  const nothing = { url: undefined, token: undefined, isJson: false };
  expect(parse('nodes')).toEqual({ run: 'nodes', ask: nothing });
  expect(parse('streams')).toEqual({ run: 'streams', ask: nothing, limit: undefined });
  expect(parse('--json streams --url http://10.0.0.2:8080 --token abc --limit 5')).toEqual({
    run: 'streams',
    ask: { url: 'http://10.0.0.2:8080', token: 'abc', isJson: true },
    limit: '5',
  });
});

test('why takes a stream, and as many decisions as are wanted', () => {
  const ask = { url: undefined, token: undefined, isJson: false };
  expect(parse('why live/show')).toEqual({ run: 'why', stream: 'live/show', ask, limit: undefined });
  expect(parse('--json why --limit 5 live/show')).toEqual({
    ...{ run: 'why', stream: 'live/show', limit: '5' },
    ask: { ...ask, isJson: true },
  });
});

test('drain takes a deadline, and is undone by name', () => {
  const ask = { url: undefined, token: undefined, isJson: false };
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
  ['streams live/show', 'streams takes flags only, not "live/show"'],
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
