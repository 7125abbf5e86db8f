import type { SamplerOptions } from "@diffuspec/spec-loop";
import type { DrafterName, Engine, EngineOptions, EngineSession, LengthControllerOption } from "diffuspec/engine";
import { firstDifference } from "./summary.ts";

/** A way to draft: what the engine is made with, and the sessions of it. */
export interface Combination {
  readonly steps: number;
  readonly search: "chain" | "tree";
  readonly drafters: readonly DrafterName[];
  readonly controllers: readonly LengthControllerOption[];
}

/** A way to choose tokens. */
export interface Mode {
  readonly name: string;
  readonly sampling: Partial<SamplerOptions>;
}

export interface ProofOptions {
  /** An engine with these options, disposed by the proof; `arExact` comes from one of its own. */
  readonly open: (options: Partial<EngineOptions>) => Promise<Engine>;
  readonly combinations: readonly Combination[];
  readonly modes: readonly Mode[];
  readonly encode: (engine: Engine) => readonly Int32Array[];
  readonly maxTokens: number;
  readonly progress?: (line: string) => void;
}

export interface Failure {
  readonly mode: string;
  readonly combination: string;
  readonly prompt: number;
  /** Index of the first id that is not arExact's; the shorter length where one begins like the other. */
  readonly at: number;
}

export interface Proof {
  readonly identical: boolean;
  /** Ways to draft, and ways to choose tokens, that were tried with each other. */
  readonly combinations: number;
  readonly modes: number;
  readonly prompts: number;
  /** Completions compared with arExact's, ids and lengths. */
  readonly completions: number;
  /** Their ids. */
  readonly tokens: number;
  readonly differing: readonly Failure[];
}

/** Everything that drafts, under every controller, writes what plain decoding (exact) writes. */
export async function prove(options: ProofOptions): Promise<Proof> {
  const { open, combinations, modes, encode, maxTokens, progress = () => {} } = options;
  const plain = await open({});
  const prompts = encode(plain);
  const exact = await plain.openSession({ drafter: "none" });
  const wanted = new Map<Mode, Int32Array[]>();
  for (const mode of modes) wanted.set(mode, await write(exact, prompts, mode, maxTokens));
  await exact.dispose();

  const differing: Failure[] = [];
  let [tried, completions, tokens] = [0, 0, 0];
  for (const { steps, search, drafters, controllers } of combinations) {
    const engine = await open({ steps, ...(search === "tree" && { search }) });
    for (const drafter of drafters)
      for (const lengthController of controllers) {
        const combination = `${drafter}, ${JSON.stringify(lengthController)}, S = ${steps}, ${search}`;
        progress(`${combination}; ${completions} completions`);
        const session = await engine.openSession({ drafter, lengthController });
        for (const mode of modes)
          for (const [prompt, ids] of (await write(session, prompts, mode, maxTokens)).entries()) {
            const at = firstDifference(wanted.get(mode)![prompt]!, ids);
            if (at !== -1) differing.push({ mode: mode.name, combination, prompt, at });
            completions++;
            tokens += ids.length;
          }
        await session.dispose();
        tried++;
      }
    await engine.dispose();
  }
  await plain.dispose();
  const sizes = { combinations: tried, modes: modes.length, prompts: prompts.length, completions, tokens };
  return { identical: differing.length === 0, ...sizes, differing };
}

async function write(
  session: EngineSession,
  prompts: readonly Int32Array[],
  { sampling }: Mode,
  maxTokens: number,
): Promise<Int32Array[]> {
  const out: Int32Array[] = [];
  for (const prompt of prompts) {
    const generation = session.generate(prompt, { ...sampling, maxTokens });
    let step = await generation.next();
    while (!step.done) step = await generation.next();
    out.push(step.value.tokens);
  }
  return out;
}

const CONTROLLERS: readonly LengthControllerOption[] = [
  "auto",
  "adl",
  "adl-paper",
  "cost-aware",
  { fixed: 4 },
  { fixed: 16 },
];
const FIXED: readonly LengthControllerOption[] = ["adl", "cost-aware", { fixed: 8 }];
const WITH_DIFFUSION = ["dlm", "hybrid"] as const satisfies readonly DrafterName[];

/** Every drafter under every controller; those with the diffusion model also with S in 2, 4, 8, and with trees. */
export function allCombinations(available: readonly DrafterName[]): Combination[] {
  const drafters: readonly DrafterName[] = available.filter((name) => name !== "none");
  const diffusing = WITH_DIFFUSION.filter((name) => available.includes(name));
  const whole: Combination = { steps: 1, search: "chain", drafters, controllers: CONTROLLERS };
  if (diffusing.length === 0) return [whole];
  const argmax = drafters.filter((name) => name === "dlm-argmax");
  return [
    whole,
    { steps: 1, search: "tree", drafters: diffusing, controllers: CONTROLLERS },
    ...[2, 4, 8].flatMap((steps): Combination[] => [
      { steps, search: "chain", drafters: [...diffusing, ...argmax], controllers: FIXED },
      { steps, search: "tree", drafters: diffusing, controllers: FIXED },
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
