// What lets somebody in, and what proxies say of others.
import { fuzzInTests } from './in-tests.ts';

await fuzzInTests(['signed-urls', 'tokens', 'networks', 'proxy-header', 'forwarded']);
