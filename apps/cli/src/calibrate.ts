import { readFile } from "node:fs/promises";
import { abortError } from "@diffuspec/contracts";
import type { Calibrate } from "@diffuspec/model-import";
import { createCache, createDecoder, rowRange } from "@diffuspec/onnx-decoder";
import { createTokenizer } from "@diffuspec/tokenizer";
import { UsageError } from "./exit.ts";

/** Passages are parted by empty lines; of each, so many ids are read. */
const PASSAGE_IDS = 512;

/** Runs the passages of a text file through a graph and keeps the largest value of every output. */
export async function calibrateWith(file: string, signal: AbortSignal): Promise<Calibrate> {
  const text = await readFile(file, "utf8").catch(() => {
    throw new UsageError(`the calibration text ${file} cannot be read`);
  });
  const passages = text.split(/\n\s*\n/).filter((passage) => passage.trim() !== "");
  if (passages.length === 0) throw new UsageError(`the calibration text ${file} is empty`);
  return async ({ path, shape, outputs, tokenizer: json, bosId }) => {
    const tokenizer = await createTokenizer({ json, eosTokens: [] });
    const decoder = await createDecoder({ graph: path, shape });
    const peaks: Record<string, Float32Array> = {};
    try {
      for (const passage of passages) {
        if (signal.aborted) throw abortError(signal);
        const begin = bosId === undefined ? [] : [bosId];
        const ids = Int32Array.from([...begin, ...tokenizer.encode(passage)]).slice(
          0,
          Math.min(PASSAGE_IDS, shape.positions),
        );
        const pass = await decoder.run(createCache(shape), { ids, rows: rowRange(0, 1), fetch: outputs });
        for (const name of outputs) peaks[name] = larger(peaks[name], pass.f32(name));
      }
    } finally {
      await decoder.dispose();
    }
    return peaks;
  };
}

const larger = (a: Float32Array | undefined, b: Float32Array): Float32Array =>
  a === undefined ? b : a.map((value, i) => Math.max(value, b[i]!));
