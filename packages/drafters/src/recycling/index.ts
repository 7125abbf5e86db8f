/**
 * Token Recycling: yesterday's runners-up are today's draft.
 *
 * @module
 * @example
 * import { createRecycling, RECYCLING_TREE_80 } from "@diffuspec/drafters/recycling";
 * createRecycling({ vocabularySize: 4096, template: RECYCLING_TREE_80 });
 */
export {
  createRecycling,
  RECYCLING_DEFAULTS,
  type RecyclingDrafter,
  type RecyclingOptions,
} from "./recycling.ts";
export { parseTemplate, RECYCLING_TREE_4, RECYCLING_TREE_20, RECYCLING_TREE_80, type Template } from "./template.ts";
