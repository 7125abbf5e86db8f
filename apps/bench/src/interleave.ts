import type { Round } from "@diffuspec/spec-loop";
import { repeatedShare } from "./loops.ts";
import { type MethodName, openMethod, type Run } from "./methods.ts";
import type { Pair } from "./pair.ts";

/** Every method on one prompt. */
export interface Trial {
  readonly prompt: number;
  readonly repeat: number;
  /** Repeated 4-grams of arExact's completion. */
  readonly repeatedShare: number;
  readonly runs: Readonly<Record<string, Run>>;
}

export interface Watcher {
  begin?(prompt: number, method: MethodName): void;
  round?(method: MethodName, round: Round): void;
  end?(trial: Trial): void;
}

/**
 * All methods on every prompt, taking turns prompt by prompt, the order rotated so that none always runs on a warm or a
 * throttled core. The first prompt is run once by each method beforehand and thrown away.
 */
export async function interleave(
  pair: Pair,
  names: readonly MethodName[],
  prompts: readonly Int32Array[],
  { maxTokens, repeats = 1, watch = {} }: { maxTokens: number; repeats?: number; watch?: Watcher },
): Promise<Trial[]> {
  const methods = await Promise.all(names.map((name) => openMethod(name, pair)));
  for (const method of methods) await method.run(prompts[0]!, maxTokens);
  const trials: Trial[] = [];
  for (let repeat = 0; repeat < repeats; repeat++)
    for (const [index, prompt] of prompts.entries()) {
      const runs: Record<string, Run> = {};
      for (let turn = 0; turn < methods.length; turn++) {
        const method = methods[(turn + index + repeat) % methods.length]!;
        watch.begin?.(index, method.name);
        runs[method.name] = await method.run(prompt, maxTokens, (round) => watch.round?.(method.name, round));
      }
      const trial = { prompt: index, repeat, repeatedShare: repeatedShare(runs.arExact!.ids), runs };
      trials.push(trial);
      watch.end?.(trial);
    }
  for (const method of methods) await method.dispose();
  return trials;
}
