// What requests, nodes and the registry say.
import { fuzzInTests } from './in-tests.ts';

await fuzzInTests([
  ...['http-targets', 'http-queries', 'http-bodies', 'stream-keys'],
  ...['mesh-control', 'mesh-media', 'mesh-hop', 'registry-records'],
]);
