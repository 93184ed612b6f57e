// What this node answers to the question which nodes it chose of late, and why.
import type { StreamKey } from '../base/stream-key.ts';
import type { DecisionRow } from '../http/forms/decisions.ts';
import type { NodeAnswer, QuestionArgs } from '../http/forms/questions.ts';
import { type Decisions, MAX_DECISIONS, type Recorded } from '../routing/decisions.ts';
import type { Place } from '../routing/node-view.ts';

/** @param node that decided */
export function decisionAnswer(
  decisions: Pick<Decisions, 'list'>,
  node: string,
  { stream, limit }: QuestionArgs<'decisions'>,
): NodeAnswer<'decisions'> {
  const found = decisions.list(MAX_DECISIONS, stream as StreamKey | undefined);
  return { total: found.length, rows: found.slice(0, limit).map((recorded) => rowOf(recorded, node)) };
}

function rowOf({ id, atWallMs, decision }: Recorded, by: string): DecisionRow {
  const { kind, stream, node, why } = decision;
  const isUpstream = kind === 'upstream';
  return {
    ...{ id, by, time: new Date(atWallMs).toISOString(), kind, stream: stream ?? null },
    place: isUpstream ? null : placeOf(decision.place),
    ...{ node: node ?? null, why },
    considered: isUpstream ? [] : [...decision.considered],
    filtered: isUpstream ? [] : decision.filtered.map((row) => ({ ...row, nodes: [...row.nodes] })),
    parents: isUpstream ? [...decision.parents] : [],
  };
}

/** Without who said so. */
function placeOf({ region, zone }: Place): Place {
  return { region, zone };
}
