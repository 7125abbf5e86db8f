import { createHash } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createEngine } from "diffuspec/engine";
import { readArguments } from "./arguments.ts";
import { circumstances } from "./circumstances.ts";
import { program } from "./program.ts";
import { allModes, allWays } from "./proof-grid.ts";
import { type ProofResult, proofTables } from "./proof-markdown.ts";
import { summariseProof } from "./proof-summary.ts";
import { type ProofRecord, prove } from "./prove.ts";
import { progressLine, writeResult } from "./result-file.ts";
import { openLog } from "./run-log.ts";
import { findPair } from "./spec-bench-arguments.ts";
import { encodeSuite, openSuite, takeFirst } from "./suite.ts";

const DEFAULTS = { maxTokens: 64, seed: 5, quick: 6 } as const;

const HELP = `npm run bench -- proof [options]

Every drafter under every length controller, with S of 1, 2, 4 and 8, by pool, beam and tree, greedy and sampled, on the whole suite:
each completion is compared with plain AR's (exact), ids and lengths. Exit code 1 where one differs. No times.

  --count N           the first N prompts of the suite (default all; --quick: ${DEFAULTS.quick})
  --max-tokens N      tokens of each completion (default ${DEFAULTS.maxTokens})
  --seed N            of the sampled ones (default ${DEFAULTS.seed})
  --out FILE          also write a result file; FILE.partial.jsonl grows with what is proved, and the same command goes on from it
  --minutes N         begin nothing more after N minutes, and say what is left
  --shard I/N         the I-th of N parts, for processes that share FILE.partial.jsonl; without it, the rest, and the result file
  --pair, --data, --prompts, --threads, --json    as for speed
`;

await program(async () => {
  const given = readArguments(process.argv.slice(2), ["pair", "data", "quick", "minutes", "shard"]);
  if (given.help) {
    process.stdout.write(HELP);
    return;
  }
  const { maxTokens = DEFAULTS.maxTokens, seed = DEFAULTS.seed, threads, minutes, shard, out } = given;
  const common = { model: findPair(given.pair), drafter: "none", ...(threads !== undefined && { threads }) } as const;
  const plain = await createEngine(common);
  try {
    const { info } = plain;
    const suite = takeFirst(openSuite(given, info.chat), given.count ?? (given.quick ? DEFAULTS.quick : undefined));
    const prompts = encodeSuite(suite, plain);
    const [ways, modes] = [allWays(info.drafters), allModes(seed)];
    const settings = {
      pair: info.model.split("/").at(-1)!,
      suite: suite.name,
      prompts: prompts.length,
      maxTokens,
      seed,
      precision: info.precision,
      threads: info.threads,
    };
    const inputs = {
      ways,
      fingerprint: sha256(readFileSync(join(info.directory, "manifest.json"))),
      promptsSha256: sha256(JSON.stringify(prompts.map((ids) => [...ids]))),
    };
    const file = out === undefined ? undefined : `${out}.partial.jsonl`;
    const total = ways.length * modes.length;
    const sitting = circumstances();
    const log = openLog<ProofRecord>({ file, settings: { ...settings, ...inputs }, sitting, total });
    await prove({
      plain,
      open: (options) => createEngine({ ...common, ...options }),
      ways,
      modes,
      prompts,
      maxTokens,
      log,
      shard,
      stopAtMs: minutes === undefined ? undefined : 60_000 * minutes,
      progress: progressLine,
    });
    const result: ProofResult = { ...settings, ...summariseProof(log.records, total), sittings: log.sittings };
    process.stdout.write(given.json ? `${JSON.stringify(result)}\n` : proofTables(result));
    if (out !== undefined && result.complete) {
      writeResult(out, "proof", result, { records: log.records });
      rmSync(file!);
    }
    if (!result.identical) process.exitCode = 1;
  } finally {
    await plain.dispose();
  }
});

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
