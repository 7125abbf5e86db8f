import { DiffuSpecError, type Vocabulary } from "@diffuspec/contracts";

/**
 * Two models work together only where every id of the target means the same piece to the drafter. The drafter may have
 * further ids (a mask token); a draft that uses one is refused when it comes.
 *
 * @throws ERR_VOCABULARY_MISMATCH naming the first differing id with both pieces
 */
export function assertSameVocabulary(target: Vocabulary, drafter: Vocabulary): void {
  if (target.size === drafter.size && target.fingerprint === drafter.fingerprint) return;
  for (let id = 0; id < target.size; id++) {
    const theirs = id < drafter.size ? drafter.piece(id) : undefined;
    const ours = target.piece(id);
    if (id < drafter.size && ours === theirs) continue;
    throw new DiffuSpecError({
      code: "ERR_VOCABULARY_MISMATCH",
      what: `Token id ${id} is ${show(ours)} to the target and ${id < drafter.size ? show(theirs) : "absent"} to the drafter`,
      why: `speculative decoding compares ids, so both must share one vocabulary (sizes ${target.size} and ${drafter.size})`,
      next: "Use a drafter made with the target's tokenizer.",
      details: { id, target: ours, drafter: theirs, targetSize: target.size, drafterSize: drafter.size },
    });
  }
}

const show = (piece: string | undefined) => (piece === undefined ? "unused" : JSON.stringify(piece));
