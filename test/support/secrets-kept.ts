// Setup of every test file: fails the test during which a secret came into a log.
import { afterAll, afterEach } from 'vitest';
import { secretScan } from './secrets.ts';

function expectNoLeaks(): void {
  const leaks = secretScan.takeLeaks();
  if (leaks.length > 0) throw new Error(`a secret is in a log:\n${leaks.join('\n')}`);
}

afterEach(expectNoLeaks);
// Nodes that are stopped after the last test.
afterAll(expectNoLeaks);
