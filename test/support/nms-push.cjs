// A node-media-server that pushes what it is given to another server, with its own RTMP client. Run as a program:
// node nms-push.cjs RTMP_PORT TARGET_URL FOLDER, then publish to rtmp://127.0.0.1:RTMP_PORT/any/name, once.
// It says "ready" on standard error when it listens. CommonJS and no types, as the package is.
const NodeMediaServer = require('node-media-server');

const [, , rtmpPort, targetUrl, folder] = process.argv;
const server = new NodeMediaServer({
  bind: '127.0.0.1',
  rtmp: { port: Number(rtmpPort) },
  store: { path: folder },
  record: { path: folder },
  webadmin: { enable: false },
});
server.on('postPublish', ({ streamPath }) => {
  // Once the event is over, the stream is there for the relay to play.
  setImmediate(() => {
    server.relayServer.addTask({ url: targetUrl, streamPath, mode: 'push', reconnect: false });
  });
});
server.rtmpServer.tcpServer.on('listening', () => process.stderr.write('ready\n'));
void server.run();
