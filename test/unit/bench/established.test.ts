import { expect, test } from 'vitest';
import { peersOf } from '../../../bench/fan-out/established.ts';

const TABLE = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:1F90 0B00007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 30 10 -1
   2: 0B00007F:9C40 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 20 4 30 10 -1
   3: 0100007F:1F90 0C00007F:9C41 04 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 30 10 -1
   4: 0000000000000000FFFF00000100007F:1F90 0000000000000000FFFF00000D00007F:9C42 01 00000000:00000000 00:00000000 00000000 0 0 5 1 0
`;

test('the peers of a server are those whose connections it has not closed', () => {
  expect(peersOf(TABLE, 8080)).toEqual(['127.0.0.11:40000', '127.0.0.13:40002']);
  expect(peersOf(TABLE, 8081)).toEqual([]);
});
