// Node records as the registry lists them, for tests.
import type { NodeRecord } from '../../src/registry/registry.ts';

/** A node of host `here` with one address; `changes` say otherwise. */
export function nodeRecord(node: string, changes: Partial<NodeRecord> = {}): NodeRecord {
  return {
    node,
    boot: '0123456789abcdef',
    host: 'here',
    version: '0.0.0',
    mesh: ['10.0.0.1:7935'],
    rtmp: '',
    http: '',
    region: '',
    zone: '',
    tags: [],
    rtmpInternal: '',
    httpInternal: '',
    rttMs: {},
    draining: false,
    load: {
      cpu: 0,
      memory: 0,
      loopBusy: 0,
      loopLagMs: 0,
      sentBytesPerS: 0,
      receivedBytesPerS: 0,
      capacityBytesPerS: 0,
      publishers: 0,
      players: 0,
      streams: 0,
      alarms: 0,
    },
    ...changes,
  };
}
