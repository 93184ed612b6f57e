// A neighbour in a control group: it holds as many bytes as it is told, says when it does, and ends with its parent. Of all in
// the group the kernel ends it first.
import { writeFileSync } from 'node:fs';

const CHUNK_BYTES = 1 << 20;
const chunks = [];
writeFileSync('/proc/self/oom_score_adj', '1000');
process.on('message', ({ holdBytes }) => {
  const count = Math.max(0, Math.floor(holdBytes / CHUNK_BYTES));
  const isLess = count < chunks.length;
  chunks.length = Math.min(chunks.length, count);
  if (isLess) globalThis.gc();
  // Pages that nobody wrote to would not be there.
  while (chunks.length < count) chunks.push(Buffer.allocUnsafeSlow(CHUNK_BYTES).fill(1));
  process.send({ heldBytes: count * CHUNK_BYTES });
});
process.on('disconnect', () => process.exit());
