// Every target but the live one (live.ts), in the order of how far from the node's doors they are.
import type { Target } from '../engine/target.ts';
import { networks, signedUrls, tokens } from './access.ts';
import { meshHop } from './hop.ts';
import { httpBodies, httpQueries, httpTargets } from './http.ts';
import { streamKeys } from './keys.ts';
import { amf0, codec, flv } from './media.ts';
import { meshControl, meshMedia, wsFrames } from './mesh.ts';
import { forwarded, proxyHeader } from './proxied.ts';
import { registryRecords } from './registry.ts';
import { rtmpChunks, rtmpCommands, rtmpHandshake } from './rtmp.ts';

export const targets: readonly Target[] = [
  rtmpHandshake,
  rtmpChunks,
  rtmpCommands,
  amf0,
  flv,
  codec,
  httpTargets,
  httpQueries,
  httpBodies,
  streamKeys,
  wsFrames,
  meshControl,
  meshMedia,
  meshHop,
  registryRecords,
  signedUrls,
  tokens,
  networks,
  proxyHeader,
  forwarded,
];
