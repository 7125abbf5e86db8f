/**
 * Drafters that need no training and no second model. Each is also a sub-path of its own.
 *
 * @module
 * @example
 * import { createPromptLookup } from "@diffuspec/drafters/prompt-lookup";
 * const drafter = createPromptLookup(); // hand it to the generation loop
 */
export * from "./cascade/index.ts";
export * from "./prompt-lookup/index.ts";
export * from "./recycling/index.ts";
