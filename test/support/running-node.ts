// A real node in this process, on free ports, with its log lines at hand.
import { Writable } from 'node:stream';
import { systemClock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { RelayNode } from '../../src/node/relay-node.ts';
import { secretsOf } from './secret-settings.ts';
import { secretScan } from './secrets.ts';

/** One log line, parsed. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly event: string };

export interface RunningNode {
  readonly node: RelayNode;
  readonly rtmpPort: number;
  readonly httpPort: number;
  /** `rtmp://127.0.0.1:…/live/show` */
  rtmpUrl(key: string): string;
  /** `http://127.0.0.1:…/live/show.flv` */
  flvUrl(key: string): string;
  /** `ws://127.0.0.1:…/live/show.flv` */
  wsUrl(key: string): string;
  /** All lines logged so far. */
  readonly lines: readonly LogLine[];
  /** Codes of why the node said that it can't go on. */
  readonly failures: readonly string[];
  stop(): Promise<void>;
}

/** Flags by key path. */
export type NodeSettings = Readonly<Record<string, string>>;

/** @param read what is read when the node is to read its configuration again */
export async function runNode(
  settings: NodeSettings = {},
  read: () => NodeSettings = () => settings,
): Promise<RunningNode> {
  const config = configOf(settings);
  const lines: LogLine[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      const line = chunk.toString();
      secretScan.line(line);
      lines.push(JSON.parse(line));
      done();
    },
  });
  const failures: string[] = [];
  const node = new RelayNode({
    config,
    log: createLog({ level: config.log.level, node: config.node.id }, sink),
    clock: systemClock,
    read: async () => configOf(read()),
    failed: ({ code }) => failures.push(code),
  });
  await node.start();
  const { rtmpPort, httpPort } = node.addresses;
  return {
    node,
    rtmpPort,
    httpPort,
    rtmpUrl: (key) => `rtmp://127.0.0.1:${rtmpPort}/${key}`,
    flvUrl: (key) => `http://127.0.0.1:${httpPort}/${key}.flv`,
    wsUrl: (key) => `ws://127.0.0.1:${httpPort}/${key}.flv`,
    lines,
    failures,
    stop: async () => {
      await node.stop({ code: 'test.over', message: 'the test is over' });
    },
  };
}

function configOf(settings: NodeSettings): Config {
  secretScan.use(...secretsOf(settings));
  return loadConfig({
    flags: {
      host: '127.0.0.1',
      'rtmp.port': '0',
      'http.port': '0',
      'mesh.port': '0',
      'node.id': 'test',
      'log.level': 'debug',
      // A busy machine would make some nodes better than others.
      'route.redirect': 'never',
      ...settings,
    },
  });
}
