// What requests say, and what is in media and WebSocket messages.
import { fuzzInTests } from './in-tests.ts';

await fuzzInTests(['http-targets', 'http-queries', 'http-bodies', 'codec', 'ws-frames']);
