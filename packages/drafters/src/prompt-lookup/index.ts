/**
 * Prompt lookup: the text so far is its own draft model.
 *
 * @module
 * @example
 * import { createPromptLookup, PLD_SPEC_BENCH } from "@diffuspec/drafters/prompt-lookup";
 * createPromptLookup(PLD_SPEC_BENCH);
 */
export {
  createPromptLookup,
  PLD_SPEC_BENCH,
  PROMPT_LOOKUP_DEFAULTS,
  type PromptLookupOptions,
} from "./prompt-lookup.ts";
