import type { SamplerOptions } from "@diffuspec/spec-loop";
import type { DrafterName, LengthControllerOption } from "diffuspec/engine";

/** A way to draft. */
export interface Way {
  readonly drafter: DrafterName;
  readonly controller: LengthControllerOption;
  readonly steps: number;
  /** What searches the diffusion model's lattice: the pair's pool, Eq. 8's beam, which makes a chain, or its best-first tree. */
  readonly shape: "pool" | "chain" | "tree";
}

/** A way to choose tokens. */
export interface Mode {
  readonly name: string;
  readonly sampling: Partial<SamplerOptions>;
}

const CONTROLLERS: readonly LengthControllerOption[] = [
  "auto",
  "adl",
  "adl-paper",
  "cost-aware",
  { confidence: { delta: 16, kMin: 8, kMax: 48 } },
  { fixed: 4 },
  { fixed: 16 },
];
const FIXED: readonly LengthControllerOption[] = ["adl", "cost-aware", { fixed: 8 }];
const WITH_DIFFUSION: readonly DrafterName[] = ["dlm", "hybrid"];

/**
 * Every drafter under every controller; those with the diffusion model also with S in 2, 4, 8, and with each search. Ways with the
 * same steps and shape, which one engine serves, are neighbours.
 */
export function allWays(available: readonly DrafterName[]): Way[] {
  const drafters = available.filter((name) => name !== "none");
  const diffusing = drafters.filter((name) => WITH_DIFFUSION.includes(name));
  const argmax = drafters.filter((name) => name === "dlm-argmax");
  const under = (names: readonly DrafterName[], steps: number, shape: Way["shape"]) =>
    names.flatMap((drafter) =>
      (steps === 1 ? CONTROLLERS : FIXED).map((controller): Way => ({ drafter, controller, steps, shape })),
    );
  return [
    ...under(drafters, 1, "chain"),
    ...under(diffusing, 1, "pool"),
    ...under(diffusing, 1, "tree"),
    ...[2, 4, 8].flatMap((steps) => [
      ...under(diffusing, steps, "pool"),
      ...under([...diffusing, ...argmax], steps, "chain"),
      ...under(diffusing, steps, "tree"),
    ]),
  ];
}

/** The model's own defaults, the bare argmax, and two samplers. */
export function allModes(seed: number): Mode[] {
  return [
    { name: "greedy, the model's defaults", sampling: {} },
    { name: "greedy", sampling: { temperature: 0, dryMultiplier: 0, repetitionPenalty: 1 } },
    { name: "temperature 0.7", sampling: { temperature: 0.7, seed } },
    {
      name: "temperature 1, filtered",
      sampling: { temperature: 1, topK: 50, topP: 0.95, repetitionPenalty: 1.05, seed },
    },
  ];
}

export function controllerName(controller: LengthControllerOption): string {
  if (typeof controller === "string") return controller;
  if ("fixed" in controller) return `fixed ${controller.fixed}`;
  return `confidence ${Object.values(controller.confidence).join(" ")}`;
}
