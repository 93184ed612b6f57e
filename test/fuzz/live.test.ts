// All doors of a node at once.
import { fuzzLiveInTests } from './in-tests.ts';

await fuzzLiveInTests();
