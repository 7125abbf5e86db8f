/**
 * The ids that survive top-k and then top-p, best first; ties fall to the lowest id.
 * `scores` are logits over temperature minus their maximum, so that the best is 0 and exp() is a weight.
 * Nothing sorts the vocabulary: ids near the top are gathered, and the net is widened only where they do not suffice.
 *
 * @param topK most ids kept; 0 keeps all
 * @param topP the smallest set of best ids whose share of the weight left by top-k reaches this; 1 keeps all
 */
export function shortlist(scores: Float64Array, topK: number, topP: number): number[] {
  const byCount = topK > 0 && topK < scores.length;
  const needed = byCount ? 0 : topP * weightOf(scores);
  let ids: number[] = [];
  for (const depth of NETS) {
    let weight = 0;
    ids = [];
    for (let id = 0; id < scores.length; id++) {
      const score = scores[id]!;
      if (score < -depth || score === Number.NEGATIVE_INFINITY) continue;
      ids.push(id);
      if (!byCount) weight += Math.exp(score);
    }
    if (byCount ? ids.length >= topK : weight >= needed) break;
  }
  ids.sort((a, b) => scores[b]! - scores[a]! || a - b);
  if (byCount) ids.length = Math.min(ids.length, topK);
  if (topP === 1) return ids;
  const share = byCount ? topP * ids.reduce((sum, id) => sum + Math.exp(scores[id]!), 0) : needed;
  let kept = 0;
  for (let sum = 0; kept < ids.length && sum < share; kept++) sum += Math.exp(scores[ids[kept]!]!);
  ids.length = kept;
  return ids;
}

/** How far below the best score (in nats) ids are gathered, tried in turn. */
const NETS = [4, 8, 16, 64, Number.POSITIVE_INFINITY];

function weightOf(scores: Float64Array): number {
  let sum = 0;
  for (let id = 0; id < scores.length; id++) sum += Math.exp(scores[id]!);
  return sum;
}
