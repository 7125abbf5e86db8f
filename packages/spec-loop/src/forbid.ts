import { argmax, DiffuSpecError, type Sampler } from "@diffuspec/contracts";

/**
 * The same sampler with some ids forbidden before an absolute position; how minTokens keeps EOS away. The ban is a pure
 * function of the position and comes before every filter, so it acts alike with and without drafts.
 *
 * @throws (from `token`) ERR_OPTION where nothing but forbidden ids has a finite logit
 */
export function forbidBefore(sampler: Sampler, forbidden: readonly number[], before: number): Sampler {
  let scratch = new Float32Array(0);
  return {
    argmaxOnly: false,
    temperature: sampler.temperature,
    noise: (position, token) => sampler.noise(position, token),
    token(logits, position, ids) {
      if (position >= before) return sampler.token(logits, position, ids);
      if (scratch.length !== logits.length) scratch = new Float32Array(logits.length);
      scratch.set(logits);
      for (const id of forbidden) scratch[id] = Number.NEGATIVE_INFINITY;
      const best = argmax(scratch);
      if (best !== -1 && scratch[best] === Number.NEGATIVE_INFINITY && Number.isFinite(logits[argmax(logits)]))
        throw new DiffuSpecError({
          code: "ERR_OPTION",
          what: `No token may be chosen at position ${position}`,
          why: "minTokens forbids every id that has a finite logit",
          next: "Lower minTokens or give other eosIds.",
        });
      return sampler.token(scratch, position, ids);
    },
  };
}
