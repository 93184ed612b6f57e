// What nft is told so that a node hears nothing of some others, and they nothing of it: pure.
import type { CutHow } from '../site.ts';

const CUT_TABLE = 'inet tideway-cuts';

export interface Cuts {
  /** By the peer's address. */
  readonly peers: ReadonlyMap<string, CutHow>;
  readonly redis: CutHow | undefined;
  /** Where Redis and its sentinels listen. */
  readonly redisHost: string;
  readonly redisPorts: readonly number[];
}

/** A script for `nft -f` that takes the place of all cuts of before, at once. */
export function cutRules({ peers, redis, redisHost, redisPorts }: Cuts): string {
  const rules = (way: 'in' | 'out') => {
    const [address, port] = way === 'in' ? ['saddr', 'sport'] : ['daddr', 'dport'];
    const lines = [...peers].map(([peer, how]) => `ip ${address} ${peer} ${VERDICTS[how]}`);
    if (redis && redisPorts.length > 0) {
      lines.push(`ip ${address} ${redisHost} tcp ${port} { ${redisPorts.join(', ')} } ${VERDICTS[redis]}`);
    }
    return lines.map((line) => `    ${line}\n`).join('');
  };
  return (
    `table ${CUT_TABLE}\ndelete table ${CUT_TABLE}\n` +
    `table ${CUT_TABLE} {\n` +
    `  chain in {\n    type filter hook input priority 0;\n${rules('in')}  }\n` +
    `  chain out {\n    type filter hook output priority 0;\n${rules('out')}  }\n` +
    `}\n`
  );
}

/** A reset goes through a reset cut, so that those that are made on purpose arrive. */
const VERDICTS: Readonly<Record<CutHow, string>> = {
  swallow: 'drop',
  reset: 'tcp flags & rst == 0 reject with tcp reset',
};
