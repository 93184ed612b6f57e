import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { configKeys } from '../../src/config/schema.ts';
import { secretScan } from '../support/secrets.ts';

const TIDEWAY = fileURLToPath(new URL('../../bin/tideway.js', import.meta.url));
const LOOPBACK = ['--host', '127.0.0.1', '--rtmp.port', '0', '--http.port', '0', '--mesh.port', '0'];

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built program to its end. */
function tideway(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { env: { PATH: process.env.PATH, ...env }, timeout: 20_000 };
    const child = execFile(process.execPath, [TIDEWAY, ...args], options, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

test('--version prints the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  expect(await tideway(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
});

test('--help tells the commands, and start --help every key', async () => {
  expect(await tideway(['--help'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('tideway start'),
  });
  const { code, stdout } = await tideway(['start', '--help']);
  expect(code).toBe(0);
  for (const { flag, env, help } of configKeys) {
    expect(stdout).toContain(`  ${flag}\n`);
    expect(stdout).toContain(env);
    expect(stdout).toContain(help);
  }
});

test('a bad value is one line and exit code 2', async () => {
  expect(await tideway(['start', '--rtmp.port', 'abc'])).toEqual({
    code: 2,
    stdout: '',
    stderr:
      'tideway: rtmp.port (--rtmp.port): "abc" is not allowed; allowed: a whole number from 0 to 65535, or off\n',
  });
});

test('two bad variables are two lines and exit code 2', async () => {
  const { code, stderr } = await tideway(['start'], { TIDEWAY_RTMP_PROT: '1', TIDEWAY_HTTP_PORT: '-1' });
  expect(code).toBe(2);
  expect(stderr).toMatch(/^tideway: TIDEWAY_RTMP_PROT: .*\ntideway: http\.port \(TIDEWAY_HTTP_PORT\): .*\n$/);
});

test('an unknown flag and a missing file are one line and exit code 2 each', async () => {
  expect(await tideway(['start', '--rtmp.prot', '1'])).toMatchObject({
    code: 2,
    stderr: 'tideway: no such flag: --rtmp.prot; did you mean --rtmp.port?\n',
  });
  expect(await tideway(['start', '--config', '/nowhere.yaml'])).toMatchObject({
    code: 2,
    stderr: "tideway: /nowhere.yaml: this file can't be read (ENOENT)\n",
  });
});

test.each(['rtmp.port', 'http.port'])('a busy %s is one line and exit code 1', async (key) => {
  const squatter = createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  const address = squatter.address();
  const port = typeof address === 'object' ? String(address?.port) : '';
  try {
    const { code, stderr } = await tideway(['start', ...LOOPBACK, `--${key}`, port]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^tideway: [^\n]+\n$/);
    expect(stderr).toContain(port);
  } finally {
    squatter.close();
  }
});

test.each(['SIGTERM', 'SIGINT'] as const)(
  'a node prints what to paste, and %s ends it with 0',
  async (signal) => {
    const node = spawn(process.execPath, [TIDEWAY, 'start', ...LOOPBACK], {
      env: { PATH: process.env.PATH },
    });
    let stdout = '';
    let stderr = '';
    node.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    const printed = new Promise<void>((resolve) => {
      node.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text;
        if (stderr.includes('/watch/')) resolve();
      });
    });
    const closed = once(node, 'close');
    try {
      await Promise.race([printed, closed]);
      expect(stderr).toMatch(/rtmp:\/\/127\.0\.0\.1:\d+\/live$/m);
      const [, page = ''] = /(http:\/\/\S+\/)watch\//.exec(stderr) ?? [];
      expect((await fetch(`${page}healthz`)).status).toBe(200);
    } finally {
      node.kill(signal);
    }
    expect(await closed).toEqual([0, null]);
    for (const line of stdout.trimEnd().split('\n')) {
      secretScan.line(line);
      expect(JSON.parse(line)).toHaveProperty('event');
    }
  },
);
