import { existsSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { createHashedScorer, encodeNgram, estimateNgram, type HashedScorer } from "@diffuspec/ngram-scorer";
import { goldenDifference } from "./ngram-golden.ts";
import { openKenlm } from "./ngram-kenlm.ts";
import { type Corpus, readCorpus } from "./ngram-text.ts";
import { round } from "./summary.ts";

const HELP = `npm run bench -- ngram [--kenlm DIR] [--order N] [--repeats N] [--json]

Queries per second of the n-gram scorer over held-out text, one thread, ids mapped beforehand; beside KenLM's probing model
of the same training text where DIR holds its lmplz, build_binary and kenlm_benchmark. The two take turns; medians.
  --kenlm DIR    KenLM's programs, built elsewhere
  --order N      longest n-gram, 2 to 6 (default 3)
  --repeats N    turns of each (default 9)
`;

/** Texts handed over at once. */
const BATCH = 4096;

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
    kenlm: { type: "string" },
    order: { type: "string", default: "3" },
    repeats: { type: "string", default: "9" },
  },
});

if (values.help) process.stdout.write(HELP);
else {
  const result = measure({
    kenlm: values.kenlm,
    order: integer("order", values.order, 2, 6),
    repeats: integer("repeats", values.repeats, 1, 99),
  });
  process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : told(result));
}

function measure({ kenlm, order, repeats }: { kenlm: string | undefined; order: number; repeats: number }) {
  const corpus = readCorpus();
  const model = estimateNgram(corpus.train, {
    order,
    vocabularySize: corpus.words.length,
    boundaries: { begin: corpus.begin, end: corpus.end },
    lmplz: true,
  });
  const scorer = createHashedScorer(model);
  const missing = whyNot(kenlm);
  const theirs = kenlm !== undefined && missing === undefined ? openKenlm(kenlm, corpus, order) : undefined;
  try {
    const turns = Array.from({ length: repeats + 1 }, () => ({ ours: turn(scorer, corpus), theirs: theirs?.turn() }));
    turns.shift(); // while the compiler still works
    const ngrams = model.levels.reduce((sum, { logProb }) => sum + logProb.length, 0);
    if (theirs && theirs.ngrams !== ngrams) throw new Error(`KenLM has ${theirs.ngrams} n-grams and we ${ngrams}.`);
    for (const { ours, theirs: other } of turns)
      if (other && Math.abs(ours.log10Sum / other.log10Sum - 1) > 1e-4)
        // theirs are 32-bit sums
        throw new Error(`Our answers sum to ${ours.log10Sum} and KenLM's to ${other.log10Sum}.`);
    const queriesPerSecond = median(turns.map(({ ours }) => ours.perSecond));
    const kenlmQueriesPerSecond = theirs ? median(turns.map((both) => both.theirs!.perSecond)) : null;
    const perNgram = (bytes: number) => round(bytes / ngrams);
    return {
      queriesPerSecond: Math.round(queriesPerSecond),
      kenlmQueriesPerSecond: kenlmQueriesPerSecond === null ? null : Math.round(kenlmQueriesPerSecond),
      ratio: kenlmQueriesPerSecond === null ? null : round(queriesPerSecond / kenlmQueriesPerSecond),
      maxAbsLog10Difference: goldenDifference(),
      ...(missing !== undefined && { reason: missing }),
      oneTextAtATime: Math.round(median(turns.map(({ ours }) => ours.oneAtATime))),
      order,
      queries: corpus.queries,
      repeats,
      ngrams,
      log10Sum: {
        ours: round(turns[0]!.ours.log10Sum),
        kenlm: theirs ? round(turns[0]!.theirs!.log10Sum) : null,
      },
      wall: {
        queriesPerSecond: Math.round(median(turns.map(({ ours }) => ours.perWallSecond))),
        kenlmQueriesPerSecond: theirs ? Math.round(median(turns.map((both) => both.theirs!.perWallSecond))) : null,
      },
      memory: {
        bytesPerNgram: perNgram(scorer.bytes),
        kenlmBytesPerNgram: theirs ? perNgram(theirs.bytes) : null,
        fileBytesPerNgram: perNgram(encodeNgram(model).length),
        quantisedFileBytesPerNgram: perNgram(encodeNgram(model, { quantise: true }).length),
      },
    };
  } finally {
    theirs?.dispose();
  }
}

/** All held-out text once, each line from <s> on. Rates are by CPU time, as KenLM's own are, and by the clock. */
function turn(scorer: HashedScorer, { heldOut, begin, queries }: Corpus) {
  const out = new Float64Array(queries);
  const start = scorer.begin(Int32Array.of(begin));
  const batches = Array.from({ length: Math.ceil(heldOut.length / BATCH) }, (_, i) =>
    heldOut.slice(i * BATCH, (i + 1) * BATCH),
  );
  const many = timed(queries, () => {
    let sum = 0;
    for (const texts of batches) {
      scorer.scoreTexts(start, texts, out);
      const asked = texts.reduce((total, { length }) => total + length, 0);
      for (let i = 0; i < asked; i++) sum += out[i]!;
    }
    return sum / Math.LN10;
  });
  const one = timed(queries, () => {
    let sum = 0;
    for (const ids of heldOut) {
      scorer.scoreText(start, ids, out);
      for (let i = 0; i < ids.length; i++) sum += out[i]!;
    }
    return sum / Math.LN10;
  });
  if (many.log10Sum !== one.log10Sum) throw new Error(`The sums are ${many.log10Sum} and ${one.log10Sum}.`);
  return { ...many, oneAtATime: one.perSecond };
}

function timed(queries: number, work: () => number) {
  const cpu = process.cpuUsage();
  const wall = performance.now();
  const log10Sum = work();
  const wallSeconds = (performance.now() - wall) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: queries / ((user + system) / 1e6), perWallSecond: queries / wallSeconds, log10Sum };
}

function whyNot(folder: string | undefined): string | undefined {
  if (folder === undefined) return "KenLM is not measured: --kenlm DIR was not given";
  const absent = ["lmplz", "build_binary", "kenlm_benchmark"].filter((name) => !existsSync(join(folder, name)));
  return absent.length === 0 ? undefined : `KenLM is not measured: --kenlm has no ${absent.join(", ")}`;
}

function told({ queriesPerSecond, kenlmQueriesPerSecond, ratio, memory, ...rest }: ReturnType<typeof measure>): string {
  const millions = (value: number) => (value / 1e6).toFixed(1);
  const beside =
    kenlmQueriesPerSecond === null
      ? `${rest.reason}.`
      : `KenLM: ${millions(kenlmQueriesPerSecond)}; ratio ${ratio}. Bytes an n-gram: ${memory.bytesPerNgram}, KenLM ${memory.kenlmBytesPerNgram}.`;
  return `Million queries a second, order ${rest.order}: ${millions(queriesPerSecond)}. ${beside}\nGolden files: at most ${rest.maxAbsLog10Difference} (log10) apart.\n`;
}

function integer(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new Error(`--${name} is ${text}; it takes an integer of ${least} to ${most}.`);
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}
