// What a registry answers: rows of text, JSON of nodes, hints. Others can write to it.
import { MAX_NODE_RECORD_BYTES, readHint, readNode } from '../../../src/registry/records.ts';
import { backupOf, nodesOf, originOf, readAnswer, replicasOf } from '../../../src/registry/redis-answers.ts';
import { rule, type Target, wordsOf } from '../engine/target.ts';
import { isStreamKey } from './keys.ts';
import { outcomeOf } from './outcome.ts';

/** Registry time when the corpus was recorded, give or take: epochs are held against it. */
const REGISTRY_WALL_MS = 1_800_000_000_000;
const ID = /^[A-Za-z0-9_.-]{1,64}$/;

/** The input is an answer: one field a line. */
export const registryRecords: Target = {
  name: 'registry-records',
  covers: ['src/registry/records.ts', 'src/registry/redis-answers.ts', 'src/registry/epoch.ts'],
  maxBytes: 5 * 1024,
  words: wordsOf(
    ...[
      '\n',
      ' ',
      '0',
      '9007199254740991',
      '9007199254740993',
      '10000000000000000',
      '-1',
      '1e3',
      'live',
      'held',
    ],
    ...[
      'publish',
      'failover',
      'claimed ',
      'released ',
      'live/demo',
      '0123456789abcdef',
      '"tags":[]',
      '"rttMs":{}',
    ],
    ...['"__proto__":{}', '[::1]:80', '\u0000', '{', '}', '"load":', '1e999'],
  ),
  run(input) {
    const text = input.toString('utf8');
    const rows = text.split('\n');
    const answer = outcomeOf(() => readAnswer('look-up', rows));
    rule(answer.code === undefined || answer.code === 'registry.answer', `refused as ${answer.code}`);

    const origin = originOf(rows, REGISTRY_WALL_MS);
    if (origin) isOwned(origin);
    const backup = backupOf(rows);
    if (backup) isOwned(backup);
    for (const replica of replicasOf(rows, REGISTRY_WALL_MS)) {
      isOwned(replica);
      rule(ID.test(replica.upstream) && replica.hops >= 1 && replica.hops <= 16, 'a replica of nowhere');
    }
    const [id = '', ...json] = rows;
    const nodes = [...nodesOf(rows).map(({ record }) => record), readNode(id, json.join('\n'))];
    for (const node of nodes) {
      if (!node) continue;
      isOwned(node);
      const written = JSON.stringify(node);
      // Fields that an older version left out are in it by now.
      if (written.length > MAX_NODE_RECORD_BYTES) continue;
      rule(JSON.stringify(readNode(node.node, written)) === written, 'a node that we wrote reads otherwise');
    }
    for (const row of rows) {
      const hint = readHint(row, REGISTRY_WALL_MS);
      if (hint) rule(isStreamKey(hint.key) && ID.test(hint.node), `a hint of ${hint.key}`);
    }
    rule(Object.keys(Object.prototype).length === 0, 'all objects have got a new field');
  },
};

function isOwned({ node, boot }: { readonly node: string; readonly boot: string }): void {
  rule(ID.test(node) && /^[0-9a-f]{16}$/.test(boot), `a record of the node ${JSON.stringify(node)}`);
}
