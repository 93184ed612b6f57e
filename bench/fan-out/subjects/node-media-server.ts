// node-media-server, from npm, as a process of its own.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../../test/support/free-ports.ts';
import { PROJECT_FOLDER } from '../../../test/support/node-process.ts';
import { ServerProcess, type Subject } from './subject.ts';

const PROGRAM = join(PROJECT_FOLDER, 'bench/fan-out/subjects/node-media-server.cjs');

export const nodeMediaServer: Subject = {
  name: 'node-media-server',
  missing: () =>
    existsSync(join(PROJECT_FOLDER, 'node_modules/node-media-server'))
      ? undefined
      : 'npm install node-media-server',
  async start({ core, folder }) {
    const [rtmpPort = 0, httpPort = 0] = await freePorts(2);
    const command = [process.execPath, PROGRAM, String(rtmpPort), String(httpPort), join(folder, 'nms')];
    const server = new ServerProcess('node-media-server', command, {
      core,
      env: { NODE_ENV: 'production' },
    });
    try {
      await server.listens(rtmpPort);
      await server.listens(httpPort);
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return {
      pids: [server.pid],
      publishUrl: `rtmp://127.0.0.1:${rtmpPort}/live`,
      at: (format) => `127.0.0.1:${format === 'rtmp' ? rtmpPort : httpPort}`,
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  },
};
