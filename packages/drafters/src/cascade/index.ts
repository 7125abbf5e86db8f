/**
 * A cheap drafter where it is confident, a better one where it is not.
 *
 * @module
 * @example
 * import { createCascade } from "@diffuspec/drafters/cascade";
 * createCascade({ first: ngram, otherwise: dlm, least: 3 });
 */
export { type CascadeOptions, createCascade } from "./cascade.ts";
