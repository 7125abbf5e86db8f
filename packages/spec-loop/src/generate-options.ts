import { DiffuSpecError, type Sampler, type TextStream, type Verifier } from "@diffuspec/contracts";
import { forbidBefore } from "./forbid.ts";
import { optionError, refuseUnknown, requireInteger } from "./options.ts";
import { createSampler, type SamplerOptions } from "./sampler.ts";

export interface GenerateOptions {
  /** Most tokens of the completion; never overshot. */
  readonly maxTokens: number;
  /** End-of-text ids are forbidden, and stop strings not looked for, before this many tokens. */
  readonly minTokens: number;
  /** Options of the built-in sampler, or a sampler of your own (a grammar, say); it must be pure. */
  readonly sampler: Partial<SamplerOptions> | Sampler;
  /** Ids that end the text; default the verifier's. The one that comes is the completion's last token. */
  readonly eosIds?: readonly number[];
  /** A fresh stream of the target's tokenizer; with it rounds carry text. */
  readonly text?: TextStream;
  /** Strings that end the text; they are cut off it. Needs `text`. */
  readonly stop: readonly string[];
  readonly signal?: AbortSignal;
  /** Called after each chunk of the prompt, in ids. */
  readonly onPrefill?: (done: number, total: number) => void;
}

export const GENERATE_DEFAULTS = {
  maxTokens: 128,
  minTokens: 0,
  sampler: {},
  stop: [],
} as const satisfies GenerateOptions;

const KNOWN = ["maxTokens", "minTokens", "sampler", "eosIds", "text", "stop", "signal", "onPrefill"];

/** A checked request. */
export interface Plan extends GenerateOptions {
  readonly prompt: Int32Array;
  readonly eosIds: readonly number[];
  /** As every part sees it, the ban of minTokens included. */
  readonly sampler: Sampler;
  /** For rounds whose positions are all at or past `freeFrom`; may read no logits where `sampler` must. */
  readonly freeSampler: Sampler;
  readonly freeFrom: number;
}

/** @throws ERR_OPTION, ERR_PROMPT (no ids, or no id of the vocabulary), ERR_CONTEXT_EXCEEDED */
export function planGeneration(prompt: ArrayLike<number>, options: Partial<GenerateOptions>, verifier: Verifier): Plan {
  refuseUnknown("generate", options, KNOWN);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const all: GenerateOptions = { ...GENERATE_DEFAULTS, ...given };
  const { maxTokens, minTokens, stop } = all;
  requireInteger("maxTokens", maxTokens, 0);
  requireInteger("minTokens", minTokens, 0, maxTokens);
  if (!Array.isArray(stop) || stop.some((word) => typeof word !== "string" || word === ""))
    throw optionError("stop", stop, "an array of strings that are not empty");
  if (stop.length > 0 && all.text === undefined)
    throw optionError("text", undefined, "a text stream of the target's tokenizer where stop is given");
  const eosIds = all.eosIds ?? verifier.eosIds;
  for (const id of eosIds) requireInteger("eosIds", id, 0, verifier.vocabularySize - 1);
  const ids = checkedPrompt(prompt, verifier);
  const own = isSampler(all.sampler) ? all.sampler : createSampler(all.sampler, verifier.vocabularySize);
  const banned = minTokens > 0 && eosIds.length > 0;
  const freeFrom = banned ? ids.length + minTokens : 0;
  const sampler = banned ? forbidBefore(own, eosIds, freeFrom) : own;
  return { ...all, prompt: ids, eosIds, sampler, freeSampler: own, freeFrom };
}

function isSampler(value: Partial<SamplerOptions> | Sampler): value is Sampler {
  return typeof value === "object" && value !== null && "token" in value && typeof value.token === "function";
}

function checkedPrompt(prompt: ArrayLike<number>, verifier: Verifier): Int32Array {
  const refuse = (why: string) =>
    new DiffuSpecError({
      code: "ERR_PROMPT",
      what: "The prompt cannot be used",
      why,
      next: "Encode it with the target's tokenizer; begin an empty one with the BOS or an end-of-text id.",
    });
  if (prompt.length === 0) throw refuse("it has no ids, and the first token needs one before it");
  for (let i = 0; i < prompt.length; i++)
    if (!Number.isInteger(prompt[i]) || prompt[i]! < 0 || prompt[i]! >= verifier.vocabularySize)
      throw refuse(`its id ${i} is ${prompt[i]}, outside 0..${verifier.vocabularySize - 1}`);
  if (prompt.length > verifier.contextLength)
    throw new DiffuSpecError({
      code: "ERR_CONTEXT_EXCEEDED",
      what: `The prompt has ${prompt.length} ids`,
      why: `the context of ${verifier.name} holds ${verifier.contextLength}`,
      next: "Shorten the prompt.",
      details: { ids: prompt.length, contextLength: verifier.contextLength },
    });
  return Int32Array.from(prompt);
}
