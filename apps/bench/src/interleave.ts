import type { Round } from "@diffuspec/spec-loop";
import { repeatedShare } from "./loops.ts";
import type { Method, Run } from "./methods.ts";

/** Every method on one prompt. */
export interface Trial {
  readonly prompt: number;
  readonly repeat: number;
  /** Repeated 4-grams of arExact's completion. */
  readonly repeatedShare: number;
  readonly runs: Readonly<Record<string, Run>>;
}

export interface Watcher {
  begin?(prompt: number, method: string): void;
  round?(method: string, round: Round): void;
  end?(trial: Trial): void;
}

export interface InterleaveOptions {
  readonly maxTokens: number;
  /** Whole rounds over the prompts. */
  readonly repeats?: number;
  /** No prompt is begun later than this, in milliseconds since the process began; the first is always run. */
  readonly stopAtMs?: number;
  readonly watch?: Watcher;
}

/**
 * All methods, arExact among them, on every prompt, taking turns prompt by prompt, the order rotated so that none always runs
 * on a warm or a throttled core. The first prompt is run once by each method beforehand and thrown away.
 */
export async function interleave(
  methods: readonly Method[],
  prompts: readonly Int32Array[],
  { maxTokens, repeats = 1, stopAtMs = Number.POSITIVE_INFINITY, watch = {} }: InterleaveOptions,
): Promise<Trial[]> {
  for (const method of methods) await method.run(prompts[0]!, maxTokens);
  const trials: Trial[] = [];
  for (let repeat = 0; repeat < repeats; repeat++)
    for (const [index, prompt] of prompts.entries()) {
      if (trials.length > 0 && performance.now() > stopAtMs) return trials;
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
  return trials;
}
