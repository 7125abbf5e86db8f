/**
 * The n-gram of the pair, and the one that the target is compared with.
 *
 *   node ngram.mjs TEXT.ids --out ngram.bin [--order 6] [--prune 0,0,1] [--vocabulary 4096]   estimate and write, quantised
 *   node ngram.mjs TRAIN.ids --order 5 --evaluate HELDOUT.ids               nats per token of held-out text
 *
 * TEXT.ids as sequences.py writes it. Needs the packages built (npm run setup).
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { createNgramScorer, encodeNgram, estimateNgram } from "../../packages/ngram-scorer/dist/index.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { out: { type: "string" }, order: { type: "string", default: "3" }, vocabulary: { type: "string", default: "4096" }, prune: { type: "string", default: "0" }, evaluate: { type: "string" } },
});

function* sequences(file) {
  const bytes = readFileSync(file);
  const ids = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  let start = 0;
  for (let end = ids.indexOf(65535); end !== -1; end = ids.indexOf(65535, start)) {
    yield ids.subarray(start, end);
    start = end + 1;
  }
}

const begun = performance.now();
const model = estimateNgram(sequences(positionals[0]), { order: Number(values.order), vocabularySize: Number(values.vocabulary), prune: values.prune.split(",").map(Number) });
console.log(`${model.levels.map((level) => level.logProb.length).join(" + ")} n-grams in ${Math.round(performance.now() - begun)} ms`);
if (values.out) {
  const bytes = encodeNgram(model, { quantise: true });
  writeFileSync(values.out, bytes);
  console.log(`${values.out}: ${(bytes.length / 2 ** 20).toFixed(2)} MiB`);
}
if (values.evaluate) {
  const scorer = createNgramScorer(model);
  const out = new Float64Array(1);
  let sum = 0;
  let count = 0;
  for (const ids of sequences(values.evaluate)) {
    let state = [ids[0]];
    for (const id of ids.subarray(1)) {
      scorer.score([state], Int32Array.of(id), out);
      sum -= out[0];
      count++;
      state = scorer.advance(state, id);
    }
  }
  console.log(`${(sum / count).toFixed(4)} nats per token over ${count} tokens`);
}
