import { argmax, DiffuSpecError, type Sampler } from "@diffuspec/contracts";
import { createDry } from "./dry.ts";
import { shortlist } from "./filters.ts";
import { GUMBEL_BOUND, gumbel, noiseWord, positionKey } from "./gumbel.ts";
import { optionError, refuseUnknown, requireInteger } from "./options.ts";

export interface SamplerOptions {
  /** 0 is greedy decoding; else logits are divided by it. */
  readonly temperature: number;
  /** Keep this many best ids; 0 keeps all. */
  readonly topK: number;
  /** Keep the smallest set of best ids with at least this share of the probability, in (0, 1]. */
  readonly topP: number;
  /** Keep ids at least this likely relative to the likeliest, in [0, 1]. */
  readonly minP: number;
  /** > 0. Positive logits of ids seen before (prompt included) are divided by it, negative ones multiplied. 1 is off. */
  readonly repetitionPenalty: number;
  /** >= 0, nats: the DRY penalty of a token that would repeat a run of `dryAllowedLength` ids; see `createDry`. 0 is off. */
  readonly dryMultiplier: number;
  /** >= 1: the penalty grows by this factor with every further id of the run. */
  readonly dryBase: number;
  /** >= 1, ids: shorter runs may be repeated freely. */
  readonly dryAllowedLength: number;
  /** Added to the logits of these ids, nats; -Infinity forbids an id. */
  readonly logitBias: ReadonlyMap<number, number> | Readonly<Record<number, number>>;
  /** Integer in 0..2^53-1. Equal seeds give equal tokens, with drafts and without. */
  readonly seed: number;
}

export const SAMPLER_DEFAULTS: SamplerOptions = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  dryMultiplier: 0,
  dryBase: 1.75,
  dryAllowedLength: 2,
  logitBias: {},
  seed: 0,
};

/**
 * A sampler in the filter order of Hugging Face transformers: repetition penalty, DRY, bias, temperature, top-k, top-p, min-p.
 * The token is the argmax of score + Gumbel noise over the ids that survive (Gumbel-max: exactly a draw from their softmax).
 * Ties, also those at the border of top-k, fall to the lowest id. NaN counts as -Infinity.
 *
 * @param vocabularySize length of every logits row
 * @throws ERR_OPTION for a value out of range or an unknown option. `token` throws ERR_CONTRACT where the largest logit of a
 * row is not finite or the row has another length, and ERR_OPTION where the bias forbids every id.
 *
 * @example
 * createSampler({ temperature: 0.7, topP: 0.9, seed: 1 }, 4096);
 */
export function createSampler(options: Partial<SamplerOptions>, vocabularySize: number): Sampler {
  requireInteger("vocabularySize", vocabularySize, 1);
  const { temperature, topK, topP, minP, repetitionPenalty, dryMultiplier, seed, bias, ...all } = checked(
    options,
    vocabularySize,
  );
  const floor = minP === 0 ? Number.NEGATIVE_INFINITY : Math.log(minP);
  const dry = dryMultiplier === 0 ? undefined : createDry(dryMultiplier, all.dryBase, all.dryAllowedLength);
  const fixed = repetitionPenalty === 1 && bias.length === 0;
  const argmaxOnly = temperature === 0 && fixed && dry === undefined;
  const scores = new Float64Array(vocabularySize);
  const seen = new Uint8Array(repetitionPenalty === 1 ? 0 : vocabularySize);

  /** Penalties and bias into `scores`; gives the id of the best score. */
  function process(logits: Float32Array, ids: Int32Array): number {
    if (logits.length !== vocabularySize) throw rowError(`it has ${logits.length} entries, not ${vocabularySize}`);
    const raw = argmax(logits);
    if (raw === -1 || !Number.isFinite(logits[raw])) throw rowError("its largest logit is not a finite number");
    const penalties = dry?.(ids);
    if (temperature === 0 && fixed && !penalties?.has(raw)) return raw;
    for (let id = 0; id < vocabularySize; id++) {
      const logit = logits[id]!;
      scores[id] = Number.isNaN(logit) ? Number.NEGATIVE_INFINITY : logit;
    }
    if (repetitionPenalty !== 1) {
      seen.fill(0);
      for (let i = 0; i < ids.length; i++) {
        const id = ids[i]!;
        if (seen[id] !== 0) continue;
        seen[id] = 1;
        scores[id] = scores[id]! > 0 ? scores[id]! / repetitionPenalty : scores[id]! * repetitionPenalty;
      }
    }
    if (penalties !== undefined) for (const [id, nats] of penalties) scores[id] = scores[id]! - nats;
    for (const [id, value] of bias) scores[id] = scores[id]! + value;
    const best = argmax(scores);
    if (scores[best] === Number.NEGATIVE_INFINITY) throw nothingLeft();
    return best;
  }

  /** Gumbel-max over the survivors; `scores` become (x - max) / temperature, the best is 0. */
  function draw(best: number, position: number): number {
    const max = scores[best]!;
    for (let id = 0; id < vocabularySize; id++) scores[id] = (scores[id]! - max) / temperature;
    const key0 = positionKey(seed, position, 0);
    const key1 = positionKey(seed, position, 1);
    let winner = -1;
    let height = Number.NEGATIVE_INFINITY;
    const consider = (id: number) => {
      const score = scores[id]!;
      if (score < floor || score === Number.NEGATIVE_INFINITY) return;
      const word = noiseWord(id, key0, key1);
      if (score + GUMBEL_BOUND[Math.clz32(word)]! < height) return;
      const value = score + gumbel(word);
      if (value > height || (value === height && id < winner)) {
        winner = id;
        height = value;
      }
    };
    if ((topK > 0 && topK < vocabularySize) || topP < 1) for (const id of shortlist(scores, topK, topP)) consider(id);
    else for (let id = 0; id < vocabularySize; id++) consider(id);
    return winner;
  }

  return {
    argmaxOnly,
    temperature,
    token(logits, position, ids) {
      const best = process(logits, ids);
      return temperature === 0 ? best : draw(best, position);
    },
    noise: (position, token) =>
      temperature === 0 ? 0 : gumbel(noiseWord(token, positionKey(seed, position, 0), positionKey(seed, position, 1))),
  };
}

function checked(options: Partial<SamplerOptions>, vocabularySize: number) {
  refuseUnknown("The sampler", options, Object.keys(SAMPLER_DEFAULTS));
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const all: SamplerOptions = { ...SAMPLER_DEFAULTS, ...given };
  const { temperature, topP, minP, repetitionPenalty, dryMultiplier, dryBase, logitBias } = all;
  if (!(temperature >= 0 && Number.isFinite(temperature)))
    throw optionError("temperature", temperature, "a finite number >= 0");
  if (!(topP > 0 && topP <= 1)) throw optionError("topP", topP, "in (0, 1]");
  if (!(minP >= 0 && minP <= 1)) throw optionError("minP", minP, "in [0, 1]");
  if (!(repetitionPenalty > 0 && Number.isFinite(repetitionPenalty)))
    throw optionError("repetitionPenalty", repetitionPenalty, "a finite number > 0");
  if (!(dryMultiplier >= 0 && Number.isFinite(dryMultiplier)))
    throw optionError("dryMultiplier", dryMultiplier, "a finite number >= 0");
  if (!(dryBase >= 1 && Number.isFinite(dryBase))) throw optionError("dryBase", dryBase, "a finite number >= 1");
  requireInteger("dryAllowedLength", all.dryAllowedLength, 1);
  requireInteger("topK", all.topK, 0);
  requireInteger("seed", all.seed, 0);
  if (typeof logitBias !== "object" || logitBias === null)
    throw optionError("logitBias", logitBias, "a Map or an object from id to number");
  const entries = logitBias instanceof Map ? [...logitBias] : Object.entries(logitBias);
  const bias = entries.map(([key, value]): [number, number] => {
    const id = Number(key);
    if (!Number.isInteger(id) || id < 0 || id >= vocabularySize)
      throw optionError("logitBias", key, `keyed by ids in 0..${vocabularySize - 1}`);
    if (typeof value !== "number" || Number.isNaN(value) || value === Number.POSITIVE_INFINITY)
      throw optionError(`logitBias of id ${id}`, value, "a finite number or -Infinity");
    return [id, value];
  });
  return { ...all, bias: bias.filter(([, value]) => value !== 0) };
}

function rowError(why: string): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_CONTRACT",
    what: "The target gave a row of logits no token can be chosen from",
    why,
    next: "Check the verifier: its graph, its weights or its vocabularySize is broken.",
  });
}

function nothingLeft(): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_OPTION",
    what: "No token may be chosen",
    why: "logitBias or minTokens forbids every id that has a finite logit",
    next: "Allow at least one id.",
  });
}
