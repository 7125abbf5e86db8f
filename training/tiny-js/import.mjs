/**
 * The model directory, from what export.py wrote. Needs the packages built (npm run setup).
 *
 *   node import.mjs WORK OUT [--name diffuspec/tiny-js]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { importModel } from "../../packages/model-import/dist/index.js";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { name: { type: "string", default: "diffuspec/tiny-js" } } });
const [work, out] = positionals;
const { files } = await importModel({
  source: join(work, "target"),
  out,
  name: values.name,
  licence: "MIT",
  precision: ["int8", "fp32"],
  oneCheckpoint: true,
  drafter: join(work, "drafter.safetensors"),
  ngram: join(work, "ngram.bin"),
  settings: { threads: 1, generation: { dryMultiplier: 0.8, dryBase: 1.75, dryAllowedLength: 10 } },
});
console.log(files);
