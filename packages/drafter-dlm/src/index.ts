/**
 * A diffusion language model as a drafter: one block-causal forward, a token lattice, an injected path search.
 *
 * @module
 * @example
 * import { createDlmDrafter } from "@diffuspec/drafter-dlm";
 * const drafter = await createDlmDrafter({
 *   drafter: manifest.drafter,
 *   resolve: (file) => `model/${file}`,
 *   search, // a PathSearch, such as createBeamSearch({ scorer }) of @diffuspec/cps
 * });
 */
export { createCanvasDrafter } from "./canvas-drafter.ts";
export {
  CANVAS_DEFAULTS,
  CANVAS_PRESETS,
  type CanvasDrafterOptions,
  type CanvasModel,
} from "./canvas-options.ts";
export { createDlmDrafter } from "./drafter.ts";
export { DLM_DEFAULTS, type DlmDrafterOptions, type DlmManifest } from "./options.ts";
