import { expect, test } from 'vitest';
import type { ControlMessage } from '../../../src/format/mesh/control.ts';
import { Relay, type RelayNeeds } from '../../../src/mesh/relay.ts';
import { refusal } from '../../support/mesh-bytes.ts';
import { SimNet } from '../../support/mesh-sim.ts';

const key = 'live/show';
const LATEST = 1_000;

/** A relay that writes down what of it leaves the mesh, and a peer `b`. */
function relay() {
  const net = new SimNet(['a', 'b']);
  const { subscriptions, downstreams, replicas, questions, answers, links } = net.node('a');
  const told: unknown[] = [];
  const needs: RelayNeeds = {
    ...{ subscriptions, downstreams, replicas, questions, answers },
    isPlausible: (epoch) => epoch <= LATEST,
    originAt: (...origin) => told.push(['origin', ...origin]),
    fenced: (...fence) => told.push(['fenced', ...fence]),
    wanted: (...want) => told.push(['wanted', ...want]),
    stops: (boot) => told.push(['stops', boot]),
  };
  const one = new Relay(needs);
  const peer = links.get('b');
  if (!peer) throw new Error('no link');
  return { told, code: (message: ControlMessage) => refusal(() => one.control(peer, message)) };
}

test('news of an origin, and of an epoch above ours, get on', () => {
  const { told, code } = relay();
  expect(code({ is: 'origin', key, epoch: 5 })).toBeUndefined();
  expect(code({ is: 'fenced', key, epoch: 6 })).toBeUndefined();
  expect(told).toEqual([
    ['origin', 'b', key, 5],
    ['fenced', key, 6],
  ]);
});

test('what a peer wants ready gets on, with who it is', () => {
  const { told, code } = relay();
  expect(code({ is: 'preload', key, ttlMs: 30_000 })).toBeUndefined();
  expect(code({ is: 'preload', key, ttlMs: 0 })).toBeUndefined();
  expect(told).toEqual([
    ['wanted', 'b', key, 30_000],
    ['wanted', 'b', key, 0],
  ]);
});

test('a peer that stops is told of by its process, one that is only emptied is not', () => {
  const { told, code } = relay();
  expect(code({ is: 'goaway', deadlineMs: 100, only: 'relayed' })).toBeUndefined();
  expect(told).toEqual([]);
  expect(code({ is: 'goaway', deadlineMs: 100 })).toBeUndefined();
  expect(told).toEqual([['stops', '0123456789abcdef']]);
});

test.each<[string, ControlMessage]>([
  ['mesh.key', { is: 'origin', key: 'show', epoch: 5 }],
  ['mesh.key', { is: 'fenced', key: 'live//', epoch: 5 }],
  ['mesh.key', { is: 'preload', key: 'live/', ttlMs: 1 }],
  ['mesh.epoch', { is: 'origin', key, epoch: LATEST + 1 }],
  ['mesh.epoch', { is: 'fenced', key, epoch: LATEST + 1 }],
  ['mesh.epoch', { is: 'sub', id: 1, key, insist: false, resume: { epoch: LATEST + 1, from: 1 } }],
  ['mesh.epoch', { is: 'headed', id: 1, epoch: LATEST + 1, seq: 1, live: true, path: ['b'] }],
  ['mesh.path', { is: 'path', ref: 1, path: ['o', 'a'] }],
  ['mesh.ref', { is: 'path', ref: 1, path: ['o', 'b'] }],
])('what no node says is refused with %s', (code, message) => {
  const { told, code: codeOf } = relay();
  expect(codeOf(message)).toBe(code);
  expect(told).toEqual([]);
});
