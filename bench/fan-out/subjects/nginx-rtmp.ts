// nginx with Debian's RTMP module, set as a careful operator would: one worker, big chunks, no access log.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../../test/support/free-ports.ts';
import { childPids, commandOf } from '../machine.ts';
import { isThere, withAdminPath } from '../programs.ts';
import { ServerProcess, type Subject } from './subject.ts';

const MODULES = ['/usr/lib/nginx/modules', '/usr/lib64/nginx/modules', '/usr/local/lib/nginx/modules'];
const MODULE = 'ngx_rtmp_module.so';

export const nginxRtmp: Subject = {
  name: 'nginx-rtmp',
  missing: () =>
    modulePath() && isThere('nginx', '-v') ? undefined : 'apt-get install nginx libnginx-mod-rtmp',
  async start({ core, folder }) {
    const port = await freePort();
    const home = join(folder, 'nginx');
    mkdirSync(home, { recursive: true });
    const path = join(home, 'nginx.conf');
    writeFileSync(path, confOf({ port, home, module: modulePath() ?? '' }));
    const server = new ServerProcess(
      'nginx',
      ['nginx', '-p', home, '-e', join(home, 'error.log'), '-c', path],
      { core, env: withAdminPath() },
    );
    // Killed, as an interrupted run does it, the master leaves its worker behind.
    let worker: number | undefined;
    const killWorker = () => {
      if (worker !== undefined && commandOf(worker).startsWith('nginx')) process.kill(worker, 'SIGKILL');
    };
    process.once('exit', killWorker);
    const end = async () => {
      await server.end('SIGTERM');
      process.off('exit', killWorker);
    };
    try {
      await server.listens(port);
      worker = await server.until('has its worker', () => childPids(server.pid)[0]);
      return {
        pids: [server.pid, worker],
        publishUrl: `rtmp://127.0.0.1:${port}/live`,
        at: () => `127.0.0.1:${port}`,
        [Symbol.asyncDispose]: end,
      };
    } catch (error) {
      await end();
      throw error;
    }
  },
};

function modulePath(): string | undefined {
  return MODULES.map((folder) => join(folder, MODULE)).find((path) => existsSync(path));
}

function confOf(of: { readonly port: number; readonly home: string; readonly module: string }): string {
  const { port, home, module } = of;
  return `load_module ${module};
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${home}/nginx.pid;
error_log ${home}/error.log error;
worker_processes 1;
worker_rlimit_nofile 20000;
events { worker_connections 15000; }
rtmp {
  access_log off;
  server {
    listen 127.0.0.1:${port} so_keepalive=off;
    chunk_size 60000;
    max_message 8M;
    application live { live on; interleave on; wait_key on; drop_idle_publisher 30s; }
  }
}
`;
}
