// What proxies say of others.
import { fuzzInTests } from './in-tests.ts';

await fuzzInTests(['proxy-header', 'forwarded']);
