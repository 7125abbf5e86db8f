import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ADL_TINY_JS, createAdl } from "@diffuspec/adl";
import type { CausalScorer, PathSearch } from "@diffuspec/contracts";
import { createArgmaxSearch, createBeamSearch } from "@diffuspec/cps";
import { createDlmDrafter, type DlmManifest } from "@diffuspec/drafter-dlm";
import { openModel } from "@diffuspec/model-files";
import { firstLayers } from "@diffuspec/model-import";
import { modelDirectory } from "@diffuspec/model-tiny-js";
import { createOnlineScorer, decodeNgram, followText } from "@diffuspec/ngram-scorer";
import { createDecoder, type Decoder } from "@diffuspec/onnx-decoder";
import { openSession, type SamplerOptions } from "@diffuspec/spec-loop";
import { createModelScorer, createVerifier, type TargetManifest } from "@diffuspec/verifier-ar";
import { createEngine } from "diffuspec/engine";
import { MAX_TOKENS, readArguments, samplingOf } from "./arguments.ts";
import { LOOP_SHARE, repeatedShare } from "./loops.ts";
import { HELD_OUT, readPrompts } from "./prompts.ts";
import { round } from "./summary.ts";

const HELP = `npm run bench -- scorers [options]

Mean accepted tokens of the path search by its scorer: the n-gram, the target's own first layers, the whole target (no scorer
can know more), and none; the diffusion model drafts every round, and no path is cut. No times. Options as the demo's (--count 16).
`;

/** Layers of the target that score; null: the n-gram. */
const SCORERS = [null, 2, 4, 6, 8, 12] as const;
const LAMBDAS = [0, 0.2, 0.4, 0.6, 0.8, 0.9] as const;
/** With one live path the search is greedy, as the target is; with more it looks for the likeliest path as a whole. */
const BEAMS = [1, 2] as const;

interface Row {
  readonly scorer: string;
  readonly lambda: number | null;
  readonly beam: number | null;
  readonly meanAcceptedTokens: number;
  /** Model passes of the scorer, and the rows they were fed, a round. */
  readonly passes: number;
  readonly rows: number;
}

const given = readArguments(process.argv.slice(2));
if (given.help) process.stdout.write(HELP);
else {
  const rows = await measure();
  const told = ({ scorer, lambda, beam, meanAcceptedTokens, passes, rows: fed }: Row) =>
    `${scorer.padEnd(12)} lambda ${lambda ?? "-"}  beam ${beam ?? "-"}  MAT ${meanAcceptedTokens.toFixed(3)}  passes ${passes.toFixed(1)}  rows ${fed.toFixed(1)}\n`;
  process.stdout.write(given.json ? `${JSON.stringify(rows)}\n` : rows.map(told).join(""));
}

async function measure(): Promise<Row[]> {
  const engine = await createEngine({ model: modelDirectory, drafter: "none" });
  const files = await openModel(modelDirectory);
  const manifest = files.manifest as unknown as {
    target: TargetManifest;
    drafter: DlmManifest;
    ngram: string;
    draft: { lattice: object };
    generation: Partial<SamplerOptions>;
  };
  const { target, drafter, draft } = manifest;
  const verifier = await createVerifier({ target, resolve: files.path, threads: 1, probe: "off" });
  const texts = readPrompts(given.prompts ?? HELD_OUT).slice(0, given.count ?? 16);
  const prompts = texts.map((text) => engine.encode(text));
  const sampler = { ...manifest.generation, ...samplingOf(given) };
  const ngram = decodeNgram(await files.read(manifest.ngram));

  /** Committed tokens over rounds, of completions that do not loop. */
  async function run(search: () => PathSearch): Promise<{ tokens: number; rounds: number; all: number }> {
    const dlm = await createDlmDrafter({ drafter, resolve: files.path, search, threads: 1, lattice: draft.lattice });
    const session = await openSession({ verifier, drafter: dlm, controller: createAdl(ADL_TINY_JS) });
    let [tokens, rounds, all] = [0, 0, 0];
    for (const prompt of prompts) {
      const generation = session.generate(prompt, { maxTokens: given.maxTokens ?? MAX_TOKENS, sampler });
      let step = await generation.next();
      while (!step.done) step = await generation.next();
      all += step.value.totals.rounds;
      if (repeatedShare(step.value.tokens) >= LOOP_SHARE) continue;
      tokens += step.value.tokens.length;
      rounds += step.value.totals.rounds;
    }
    await session.dispose();
    await dlm.dispose?.();
    return { tokens, rounds, all };
  }
  const { eosIds } = target;
  const searchWith = <State>(scorer: CausalScorer<State>, lambda: number, beam: number) =>
    createBeamSearch({ scorer, lambda, beam, eosIds });

  const found: Row[] = [];
  const argmax = await run(() => createArgmaxSearch());
  found.push({ scorer: "none", lambda: null, beam: null, ...mat(argmax), passes: 0, rows: 0 });
  const dir = mkdtempSync(join(tmpdir(), "first-layers-"));
  try {
    copyFileSync(files.path("target.int8.bin"), join(dir, "target.int8.bin"));
    for (const layers of SCORERS) {
      const scorer = layers === null ? "6-gram" : `${layers} layers`;
      const decoder = layers === null ? undefined : await openFirst(dir, files.path(target.graphs.int8!.tree), layers);
      for (const beam of BEAMS)
        for (const lambda of LAMBDAS) {
          const fed = { passes: 0, rows: 0 };
          const result = await run(() =>
            decoder
              ? searchWith(createModelScorer({ decoder: counting(decoder, fed) }), lambda, beam)
              : searchWith(followText(createOnlineScorer(ngram)), lambda, beam),
          );
          const perRound = { passes: round(fed.passes / result.all), rows: round(fed.rows / result.all) };
          found.push({ scorer, lambda, beam, ...mat(result), ...perRound });
          if (process.stderr.isTTY) process.stderr.write(".");
        }
      await decoder?.dispose();
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
  await verifier.dispose();
  await engine.dispose();
  return found;

  async function openFirst(folder: string, graph: string, layers: number): Promise<Decoder> {
    const file = join(folder, `${layers}.onnx`);
    writeFileSync(file, firstLayers(readFileSync(graph), layers));
    return createDecoder({ graph: file, shape: { ...target, layers }, threads: 1 });
  }
}

function mat({ tokens, rounds }: { tokens: number; rounds: number }) {
  return { meanAcceptedTokens: round(tokens / rounds) };
}

function counting(decoder: Decoder, fed: { passes: number; rows: number }): Decoder {
  return {
    ...decoder,
    run(cache, request) {
      fed.passes++;
      fed.rows += request.ids.length;
      return decoder.run(cache, request);
    },
  };
}
