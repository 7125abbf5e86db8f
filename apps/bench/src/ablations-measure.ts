import { createLengthTable, type LengthRow } from "@diffuspec/adl";
import { type AblationSet, ablationSets } from "./ablation-sets.ts";
import { circumstances } from "./circumstances.ts";
import { interleave, type Trial } from "./interleave.ts";
import { type LoggedRun, openLab } from "./lab.ts";
import { openMethods } from "./methods.ts";
import type { Pair } from "./pair.ts";
import { type MethodRow, methodRow } from "./speed-summary.ts";
import { encodeSuite, type Suite } from "./suite.ts";
import { divergences, nonLooping, round, summarise } from "./summary.ts";

export interface AblationsOptions {
  /** Names of sets; default all. */
  readonly sets?: readonly string[] | undefined;
  readonly maxTokens: number;
  readonly progress?: (line: string) => void;
}

export interface SettingRow extends MethodRow {
  readonly x: number | null;
  /** Rounds with a draft by the length asked for: mean L_gen, L_acc and costs. */
  readonly byLength: readonly LengthRow[];
}

export type AblationsResult = Awaited<ReturnType<typeof measureAblations>>;
export type SetResult = AblationsResult["sets"][number];

/** What runs beside every set, on the same prompts. */
const CONTROLS = ["arExact", "diffuspec"] as const;

/** @throws an Error for a set that is not there, or a pair without diffusion drafter */
export async function measureAblations(pair: Pair, suite: Suite, options: AblationsOptions) {
  const { sets: wanted, maxTokens, progress = () => {} } = options;
  const sitting = circumstances();
  const lab = await openLab(pair);
  const chosen = chooseSets(ablationSets(lab.drafter), wanted);
  const prompts = encodeSuite(suite, pair.engine);
  const controls = await openMethods(CONTROLS, pair);
  const sets = [];
  let identical = true;
  for (const set of chosen) {
    const own = await Promise.all(set.settings.map((setting) => lab.open(setting)));
    let done = 0;
    const watch = { end: () => progress(`${set.name} ${++done}/${prompts.length}`) };
    const trials = await interleave([...controls, ...own], prompts, { maxTokens, watch });
    for (const method of own) await method.dispose();
    const differing = divergences(trials, ["diffuspec", ...set.settings.map(({ name }) => name)]);
    identical &&= differing.length === 0;
    sets.push({
      name: set.name,
      title: set.title,
      leftOut: set.leftOut,
      nonLooping: nonLooping(trials).length,
      ...(differing.length > 0 && { differing }),
      arExact: { tokensPerSecond: summarise(trials, "arExact").tokensPerSecond },
      diffuspec: methodRow("diffuspec", trials),
      settings: set.settings.map(
        ({ name, x = null }): SettingRow => ({
          ...methodRow(name, trials),
          x,
          byLength: lengthRows(trials, name),
        }),
      ),
    });
  }
  for (const method of controls) await method.dispose();
  await lab.dispose();
  return {
    pair: pair.name,
    suite: suite.name,
    prompts: prompts.length,
    identical,
    sets,
    answer: lengthOrSteps(sets),
    maxTokens,
    sampling: pair.sampling,
    precision: pair.engine.info.precision,
    threads: pair.engine.info.threads,
    circumstances: sitting,
  };
}

function chooseSets(all: readonly AblationSet[], wanted: readonly string[] | undefined): readonly AblationSet[] {
  if (wanted === undefined) return all;
  return wanted.map((name) => {
    const found = all.find((set) => set.name === name);
    if (!found)
      throw new Error(`--set names ${JSON.stringify(name)}; there are ${all.map((set) => set.name).join(", ")}.`);
    return found;
  });
}

function lengthRows(trials: readonly Trial[], name: string): LengthRow[] {
  const table = createLengthTable();
  for (const trial of trials) for (const entry of (trial.runs[name] as LoggedRun).log) table.add(entry);
  return table.rows().map((row) => {
    const numbers = Object.entries(row).map(([key, value]) => [key, round(value)]);
    return Object.fromEntries(numbers) as unknown as LengthRow;
  });
}

/** How far the worst and the best of a set lie apart. */
export interface Spread {
  readonly worst: { readonly name: string; readonly speedup: number };
  readonly best: { readonly name: string; readonly speedup: number };
  /** Best speed-up over worst, and most tokens a round over fewest. */
  readonly speedFactor: number;
  readonly acceptedFactor: number;
}

/** What matters more, length or steps? Null where the two sets were not both run. */
export function lengthOrSteps(sets: readonly { name: string; settings: readonly SettingRow[] }[]) {
  const spread = (name: string): Spread | undefined => {
    const settings = sets.find((set) => set.name === name)?.settings;
    if (!settings) return undefined;
    const ranked = [...settings].sort((a, b) => a.speedup - b.speedup);
    const [worst, best] = [ranked[0]!, ranked.at(-1)!];
    const accepted = settings.map((row) => row.meanAcceptedTokens);
    return {
      worst: { name: worst.name, speedup: worst.speedup },
      best: { name: best.name, speedup: best.speedup },
      speedFactor: round(best.speedup / worst.speedup),
      acceptedFactor: round(Math.max(...accepted) / Math.min(...accepted)),
    };
  };
  const [length, steps] = [spread("length"), spread("steps")];
  if (!length || !steps) return null;
  const more = (of: (one: Spread) => number) => (of(length) >= of(steps) ? "length" : "steps");
  return { length, steps, forSpeed: more((one) => one.speedFactor), forAccepted: more((one) => one.acceptedFactor) };
}
