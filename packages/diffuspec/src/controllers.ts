import {
  ADL_PAPER,
  ADL_TINY_JS,
  createAdl,
  createConfidence,
  createCostAware,
  createFixedLength,
} from "@diffuspec/adl";
import type { LengthController } from "@diffuspec/contracts";
import { type Generation, SAMPLER_DEFAULTS, type SamplerOptions } from "@diffuspec/spec-loop";
import type { LengthControllerOption } from "./length-option.ts";
import type { DrafterName } from "./options.ts";

/** The controllers of one engine. */
export interface Controllers {
  open(drafter: DrafterName, option: LengthControllerOption): SessionController;
}

/** The controller of one session, which may be another one in each generation. */
export interface SessionController {
  readonly controller: LengthController;
  /** The same generation; as it begins, the controller for its sampler takes the seat. */
  during(generation: Generation, sampler: Partial<SamplerOptions>): Generation;
}

/** Kinds of generations whose costs and acceptance are remembered. */
const REMEMBERED = 32;

/** Drafters of sampled text that end a draft themselves where it stops paying, and cost next to nothing. */
const FRUGAL: readonly DrafterName[] = ["hybrid", "ngram"];

/** Drafters that end a draft themselves where agreement becomes unlikely: a long draft is one that they are sure of. */
const ENDING: readonly DrafterName[] = [...FRUGAL, "dlm"];

/**
 * "auto" is, for drafters that end their drafts, what suits the model (`own`, decision 0024), for others ADL; and where one samples the
 * cost-aware controller for drafters whose drafts may not pay at all there (decisions 0014, 0021). What a cost-aware controller
 * learns belongs to the engine: generations of the same drafter that are sampled alike go on from it, in whichever session they run.
 */
export function createControllers(own: LengthControllerOption = "auto"): Controllers {
  const learnt = new Map<string, LengthController>();

  function costAware(drafter: DrafterName, sampler: Partial<SamplerOptions>): LengthController {
    const key = `${drafter} ${kindOf(sampler)}`;
    const controller = learnt.get(key) ?? createCostAware();
    learnt.delete(key);
    learnt.set(key, controller); // the last one used is the last one forgotten
    if (learnt.size > REMEMBERED) learnt.delete(learnt.keys().next().value!);
    return controller;
  }

  return {
    open(drafter, option) {
      const wanted = option === "auto" && ENDING.includes(drafter) ? own : option;
      const usual = createController(wanted);
      let chosen = usual;
      let seated = usual;
      return {
        controller: {
          get name() {
            return seated.name;
          },
          begin() {
            seated = chosen;
            seated.begin();
          },
          next: (request) => seated.next(request),
          observe: (round) => seated.observe(round),
        },
        async *during(generation, sampler) {
          const sampled = (sampler.temperature ?? SAMPLER_DEFAULTS.temperature) > 0;
          const doubtful = option === "auto" && sampled && !FRUGAL.includes(drafter);
          chosen = wanted === "cost-aware" || doubtful ? costAware(drafter, sampler) : usual;
          return yield* generation;
        },
      };
    },
  };
}

/** Samplers of one kind make drafts right about equally often: temperature, top-p and min-p to a tenth, and top-k. */
function kindOf(sampler: Partial<SamplerOptions>): string {
  const { temperature, topP, minP, topK } = { ...SAMPLER_DEFAULTS, ...sampler };
  return [...[temperature, topP, minP].map((value) => Math.round(10 * value)), topK].join(" ");
}

function createController(option: LengthControllerOption): LengthController {
  if (typeof option === "object")
    return "fixed" in option ? createFixedLength(option.fixed) : createConfidence(option.confidence);
  if (option === "confidence") return createConfidence();
  return createAdl(option === "adl-paper" ? ADL_PAPER : ADL_TINY_JS);
}
