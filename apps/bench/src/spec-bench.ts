import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { PEERS_HELP } from "./arguments.ts";
import { resultTables } from "./benchmarks-markdown.ts";
import { circumstances } from "./circumstances.ts";
import { createPeers } from "./peers/create-peers.ts";
import { program } from "./program.ts";
import { findPair, readSpecBenchArguments, SPEC_BENCH_DEFAULTS } from "./spec-bench-arguments.ts";
import { readQuestions } from "./spec-bench-data.ts";
import { measure } from "./spec-bench-measure.ts";
import { openField } from "./spec-bench-methods.ts";
import { METHOD_NAMES } from "./spec-bench-names.ts";

const HELP = `npm run bench -- spec-bench --data FILE [options]

The six Spec-Bench tasks: greedy, one question at a time, every turn with the model's own earlier answers, all methods
taking turns on each. Every method's ids and lengths are compared with plain AR's (exact).

  --data FILE         Spec-Bench's question.jsonl
  --pair NAME|DIR     models/NAME, or a model directory (default ${SPEC_BENCH_DEFAULTS.pair})
  --per-task N        evenly spaced questions of each task (default ${SPEC_BENCH_DEFAULTS.perTask})
  --max-tokens N      tokens of each answer (default ${SPEC_BENCH_DEFAULTS.maxTokens})
  --full              all 480 questions, answers of 1024 tokens
  --methods A,B       some of ${METHOD_NAMES.slice(2).join(", ")}
  --draft-length N    draft tokens without length control (default ${SPEC_BENCH_DEFAULTS.draftLength})
${PEERS_HELP}  --precision int8|fp32, --threads N
  --resume FILE       keep every question's figures in FILE, and go on from what it has
  --out FILE          also write a result file: summary, all figures, git SHA, argv, versions, machine; until it is
                      there, FILE.partial.jsonl has what was measured, and the same command goes on from it
  --json              one JSON object on stdout and nothing else

A prompt that leaves no room for --max-tokens in the context is skipped and counted, never cut.
`;

await program(main);

async function main(): Promise<void> {
  const given = readSpecBenchArguments(process.argv.slice(2));
  if (given.help) {
    process.stdout.write(HELP);
    return;
  }
  const { data: file, methods, draftLength, gguf, precision, threads, out, log } = given;
  const directory = findPair(given.pair);
  const data = readQuestions(file);
  const terminal = process.stderr.isTTY;
  const progress = (line: string) => void (terminal && process.stderr.write(`\r${line}\x1b[K`));
  progress("loading");
  const ours = await openField({
    directory,
    methods,
    draftLength,
    ...(precision !== undefined && { precision }),
    ...(threads !== undefined && { threads }),
  });
  const { contextLength, eosIds } = ours;
  const peers = await createPeers({
    names: given.peers,
    directory,
    contextLength,
    eosIds,
    trial: ours.encode([{ role: "user", content: "Count from one to twenty, in words." }]),
    ...(gguf !== undefined && { gguf }),
    ...(threads !== undefined && { threads }),
  });
  const field = given.peers.length > 0 ? { ...ours, peers } : ours;
  try {
    const pair = /[/\\]|^\./.test(given.pair) ? field.model.split("/").at(-1)! : given.pair;
    const { perTask, maxTokens } = given;
    const sitting = circumstances();
    const run = await measure(field, { pair, data, perTask, maxTokens, draftLength, log, sitting, progress });
    progress("");
    const { result, sittings, records } = run;
    if (out !== undefined) {
      mkdirSync(dirname(out), { recursive: true });
      writeFileSync(out, `${JSON.stringify({ ...sitting, sittings, result, records }, null, 1)}\n`);
      if (log !== undefined && !given.keepLog) rmSync(log);
    }
    process.stdout.write(given.json ? `${JSON.stringify(result)}\n` : resultTables(result));
    if (!result.identical) process.exitCode = 1;
  } finally {
    await peers.dispose();
    await ours.dispose();
  }
}
