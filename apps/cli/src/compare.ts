import { EXIT } from "./exit.ts";
import { type Job, plain, show } from "./generate.ts";
import { printJson, rate, statsLines } from "./report.ts";

/** Tokens of the run that warms each side up, so that neither pays for being first. */
const WARM_UP_TOKENS = 8;

/** `diffuspec generate --compare`: the same prompt with and without drafts; 1 where the tokens differ. */
export async function compare(job: Job): Promise<number> {
  const { terminal, model, prompt, input, options, flags, drafter } = job;
  const warmUp = Math.min(WARM_UP_TOKENS, options.maxTokens ?? WARM_UP_TOKENS);
  for (const name of [drafter, "none"] as const)
    await model.complete(input, { ...options, drafter: name, maxTokens: warmUp, minTokens: 0 });
  const drafted = await show(job);
  const alone = await model.complete(input, { ...options, drafter: "none" });
  const differ = firstDifference(drafted.ids, alone.ids);
  const speedup = drafted.stats.tokensPerSecond / alone.stats.tokensPerSecond;
  if (flags.json)
    printJson(terminal, {
      model: model.info.model,
      drafter,
      prompt,
      identical: differ === -1,
      firstDifference: differ === -1 ? null : differ,
      speedup: Number.isFinite(speedup) ? speedup : null,
      drafted: plain(drafted),
      plain: plain(alone),
    });
  else {
    if (flags.stats) terminal.stderr.write(statsLines(drafted.stats));
    terminal.stderr.write(
      [
        `${drafter}: ${rate(drafted.stats.tokensPerSecond)}, ${drafted.stats.meanAcceptedTokens.toFixed(2)} tokens a round`,
        `none: ${rate(alone.stats.tokensPerSecond)}`,
        ...(Number.isFinite(speedup) ? [`ratio: ${speedup.toFixed(2)}`] : []),
        differ === -1 ? `identical: all ${alone.ids.length} tokens` : `DIFFERENT from token ${differ} on`,
        "",
      ].join("\n"),
    );
  }
  return differ === -1 ? EXIT.ok : EXIT.failed;
}

/** Index of the first id that differs, the shorter one's end included; -1 where both are equal. */
export function firstDifference(a: Int32Array, b: Int32Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return a.length === b.length ? -1 : length;
}
