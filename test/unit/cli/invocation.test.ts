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

test.each([
  ['--help', 'tideway'],
  ['-h', 'tideway'],
  ['help', 'tideway'],
  ['help start', 'start'],
  ['start --help', 'start'],
  ['help nonsense', 'tideway'],
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
])('"%s" is refused in one line', (line, message) => {
  expect(() => parse(line)).toThrow(TidewayError);
  expect(() => parse(line)).toThrow(expect.objectContaining({ code: 'cli.usage', message }));
});
