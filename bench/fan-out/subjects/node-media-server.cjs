// node-media-server with RTMP and HTTP-FLV on, and without what costs time beside them: recording, admin, log lines.
// node node-media-server.cjs RTMP_PORT HTTP_PORT FOLDER. CommonJS and no types, as the package is.
const NodeMediaServer = require('node-media-server');
const logger = require('node-media-server/src/core/logger.js');

const [, , rtmpPort, httpPort, folder] = process.argv;
const server = new NodeMediaServer({
  bind: '127.0.0.1',
  rtmp: { port: Number(rtmpPort) },
  http: { port: Number(httpPort) },
  store: { path: folder },
  record: { path: folder, auto: false },
  webadmin: { enable: false },
});
// Its constructor sets "debug".
logger.level = 'error';
void server.run();
