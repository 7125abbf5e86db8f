/**
 * Holds the graphs of an imported model against the logits that reference.py wrote.
 *
 *     node compare.mjs MODEL_DIRECTORY WORK [precision ...]
 *
 * Every graph reads the reference's own text, so that each of its tokens is one comparison. `sameText` counts the prompts
 * on which greedy decoding gives the reference's 64 tokens; `divergences` are the first other token of each other prompt,
 * with the margin between the reference's two best logits there. Differences of logits are centred: their mean over
 * the vocabulary changes no probability and is taken away.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createCache, createDecoder, rowRange } from "../../onnx-decoder/dist/index.js";

const [dir, work, ...asked] = process.argv.slice(2);
const read = (path) => JSON.parse(readFileSync(path, "utf8"));
const { target } = read(join(dir, "manifest.json"));
const prompts = read(join(work, "prompts.json"));
const reference = read(join(work, "reference.json"));
const V = target.vocabularySize;

for (const precision of asked.length > 0 ? asked : Object.keys(target.graphs)) {
  const decoder = await createDecoder({ graph: join(dir, target.graphs[precision].chain), shape: target });
  const divergences = [];
  let [tokens, same, most, squares, values, nats] = [0, 0, 0, 0, 0, 0];
  for (const [n, { ids, margins }] of reference.entries()) {
    const fed = Int32Array.from([...prompts[n], ...ids.slice(0, -1)]);
    const rows = rowRange(prompts[n].length - 1, fed.length);
    const pass = await decoder.run(createCache(target), { ids: fed, rows, fetch: ["logits", "argmax"] });
    const bytes = readFileSync(join(work, `logits.${n}.f32`));
    const theirs = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const [logits, argmax] = [pass.f32("logits"), pass.i32("argmax")];
    const first = ids.findIndex((id, i) => argmax[i] !== id);
    if (first >= 0) divergences.push({ prompt: n, token: first, margin: margins[first] });
    for (let row = 0; row < ids.length; row++) {
      tokens++;
      if (argmax[row] === ids[row]) same++;
      const [a, b] = [logits, theirs].map((all) => all.subarray(row * V, (row + 1) * V));
      let mean = 0;
      for (let i = 0; i < V; i++) mean += (a[i] - b[i]) / V;
      for (let i = 0; i < V; i++) {
        const difference = Math.abs(a[i] - b[i] - mean);
        most = Math.max(most, difference);
        squares += difference * difference;
      }
      values += V;
      nats += divergence(b, a);
    }
  }
  const report = {
    precision,
    prompts: reference.length,
    sameText: reference.length - divergences.length,
    sameArgmax: same / tokens,
    largestDifference: most,
    rootMeanSquareDifference: Math.sqrt(squares / values),
    meanDivergenceNats: nats / tokens,
    divergences,
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
  await decoder.dispose();
}

/** Kullback-Leibler divergence of q from p, both given as logits. */
function divergence(p, q) {
  const lse = (x) => {
    const top = x.reduce((a, b) => Math.max(a, b));
    return top + Math.log(x.reduce((sum, v) => sum + Math.exp(v - top), 0));
  };
  const [lp, lq] = [lse(p), lse(q)];
  let out = 0;
  for (let i = 0; i < p.length; i++) out += Math.exp(p[i] - lp) * (p[i] - lp - (q[i] - lq));
  return out;
}
