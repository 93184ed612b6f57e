// What publishers send.
import { fuzzInTests } from './in-tests.ts';

await fuzzInTests(['rtmp-handshake', 'rtmp-chunks', 'rtmp-commands', 'amf0', 'flv']);
