// What nodes and the registry say, of streams by their keys.
import { fuzzInTests } from './in-tests.ts';

await fuzzInTests(['mesh-control', 'mesh-media', 'mesh-hop', 'registry-records', 'stream-keys']);
