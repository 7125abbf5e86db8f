import { ADL_PAPER, ADL_TINY_JS, type AdlOptions, createAdl, createCostAware, createFixedLength } from "@diffuspec/adl";
import type { Setting } from "./lab.ts";

/** One question, asked of settings that differ in one thing. */
export interface AblationSet {
  readonly name: string;
  readonly title: string;
  readonly settings: readonly Setting[];
  /** What this drafter cannot do. */
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
}

const fixed = (k: number) => () => createFixedLength(k);
const adl = (options: AdlOptions) => () => createAdl(options);
/** Length sets and ADL's own numbers are asked of Eq. 8 without the cut, which else ends drafts before their length does. */
const WHOLE = { cut: 0 } as const;
/** Eq. 8 as the pair would ship it. */
const EQ8 = {} as const;

/** The paper's ablations, and those of what it does not have; each number as far as the drafter goes. */
export function ablationSets({ maxMasks, top }: { readonly maxMasks: number; readonly top: number }): AblationSet[] {
  const wide = { ...ADL_TINY_JS, kMin: 2, kMax: Math.min(24, maxMasks) };
  const lengths = [4, 8, 12, 16, 20, 30];
  const reach = (k: number) => k <= maxMasks;
  const tooLong = lengths
    .filter((k) => !reach(k))
    .map((k) => ({ name: `k = ${k}`, why: `this drafter proposes at most ${maxMasks} tokens` }));
  const set = (name: string, title: string, settings: readonly Setting[], leftOut: AblationSet["leftOut"] = []) => ({
    name,
    title,
    settings,
    leftOut,
  });
  const over = (label: string, values: readonly number[], of: (x: number) => Omit<Setting, "name" | "x">) =>
    values.map((x) => ({ name: `${label} = ${x}`, x, ...of(x) }));

  return [
    set("parts", "Parts of DiffuSpec taken away", [
      { name: "all parts" },
      { name: "Eq. 8 in the pool's place", search: EQ8 },
      { name: "without CPS", search: "argmax" },
      { name: "without length control (k = 8)", controller: fixed(8) },
      { name: "without both", search: "argmax", controller: fixed(8) },
      { name: "without smoothing", controller: adl({ ...ADL_TINY_JS, rho: 1 }) },
      { name: "all tokens by the diffusion model", search: { pooled: { cut: 0.1 } } },
      { name: "without the cut", search: { pooled: { cut: 0 } } },
      { name: "without the target's hidden rows", taps: false },
      {
        name: "the paper's constants",
        search: { ...WHOLE, lambda: 0.5, beam: 3 },
        lattice: { tau: 0.8, maxCandidates: Math.min(15, top) },
        controller: adl({ ...ADL_PAPER, kMin: Math.min(20, maxMasks), kMax: Math.min(30, maxMasks) }),
      },
    ]),
    set(
      "length",
      "Eq. 8: fixed draft length k",
      over("k", lengths.filter(reach), (k) => ({ search: WHOLE, controller: fixed(k) })),
      tooLong,
    ),
    set(
      "steps",
      "Eq. 8: refinement steps S, k = 8",
      over("S", [1, 2, 4, 8], (steps) => ({ search: WHOLE, controller: fixed(8), steps })),
    ),
    set(
      "length-steps",
      "Eq. 8: length and steps together",
      [4, 8, 16]
        .filter(reach)
        .flatMap((k) =>
          [1, 2, 4].map((steps) => ({ name: `k = ${k}, S = ${steps}`, search: WHOLE, controller: fixed(k), steps })),
        ),
    ),
    set(
      "beam",
      "Eq. 8: width of the beam",
      over("beam", [1, 2, 4, 8], (beam) => ({ search: { beam } })),
    ),
    set(
      "tau",
      "Probability mass of a position, tau",
      over("tau", [0.3, 0.6, 0.8, 0.9, 0.99], (tau) => ({ lattice: { tau } })),
    ),
    set(
      "candidates",
      "Most candidates of a position, M_max",
      over(
        "M",
        [1, 2, 4, 8, 15].filter((m) => m <= top),
        (maxCandidates) => ({ lattice: { maxCandidates } }),
      ),
    ),
    set(
      "lambda",
      "Eq. 8: weight of the drafter, lambda",
      over("lambda", [0, 0.2, 0.4, 0.6, 0.8, 1], (lambda) => ({ search: { lambda } })),
    ),
    set(
      "cut",
      "Eq. 8: least e^S of a draft, cut",
      over("cut", [0, 0.01, 0.1, 0.3, 0.6], (cut) => ({ search: { cut } })),
    ),
    set(
      "rho",
      "ADL: weight of the newest round, rho",
      over("rho", [0.1, 0.3, 0.5, 0.7, 1], (rho) => ({ search: WHOLE, controller: adl({ ...wide, rho }) })),
    ),
    set(
      "delta",
      "ADL: tokens added, delta",
      over("delta", [0, 1, 2, 5, 10], (delta) => ({ search: WHOLE, controller: adl({ ...wide, delta }) })),
    ),
    set("shape", "Chain against tree", [
      { name: "argmax chain", search: "argmax" },
      { name: "pool's chain" },
      { name: "beam's chain", search: EQ8 },
      { name: "tree without a limit", search: "tree" },
      { name: "tree of at most 8", search: { tree: { maxNodes: 8 } } },
      { name: "tree of at most 16", search: { tree: { maxNodes: 16 } } },
    ]),
    set("controllers", "Who chooses the length", [
      { name: "adl" },
      { name: "adl, 2 to 24 tokens", controller: adl(wide) },
      { name: "adl-paper", controller: adl(ADL_PAPER) },
      { name: "cost-aware", controller: () => createCostAware() },
      { name: "fixed, k = 8", controller: fixed(8) },
      { name: "none: as long as the drafter goes", controller: fixed(maxMasks) },
    ]),
  ];
}
