// How a node stops: within its grace, whoever stands in the way, and saying so until the end.
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FrameKind } from '../../src/format/frame.ts';
import { payloadOf } from '../support/media.ts';
import { RtmpClient } from '../support/rtmp-client.ts';
import { type RunningNode, runNode } from '../support/running-node.ts';
import { until } from '../support/until.ts';

const GRACE_MS = 1500;
let node: RunningNode;

beforeEach(async () => {
  node = await runNode({ 'shutdown.graceMs': String(GRACE_MS) });
});

afterEach(() => node.stop());

test('a player that does not read and a connection that asks nothing take no longer than the grace', async () => {
  const publisher = await RtmpClient.publishing(node.rtmpPort, 'cam');
  const player = await RtmpClient.playing(node.rtmpPort, 'cam');
  player.socket.pause();
  const silent = connect(node.httpPort, '127.0.0.1');
  for (let timestamp = 0; timestamp < 4000; timestamp += 200) {
    publisher.frame({ kind: FrameKind.video, timestamp, payload: payloadOf('avc key', timestamp, 1 << 20) });
  }
  await until('the player is behind', async () => {
    const text = await (await fetch(`http://127.0.0.1:${node.httpPort}/metrics`)).text();
    return /tideway_rtmp_received_bytes_total (2\d{7})/.test(text);
  });

  const startedMs = performance.now();
  const stopped = node.stop();
  const ready = await fetch(`http://127.0.0.1:${node.httpPort}/readyz`);
  expect(ready.status, 'said while it stops').toBe(503);
  expect(await ready.text()).toContain('node.stopping');
  await stopped;
  expect(performance.now() - startedMs).toBeLessThan(GRACE_MS + 250);
  publisher.destroy();
  player.destroy();
  silent.destroy();
});
