/** The graphs of make_fixture.py, which calls this: the weights of FROM, in int8, as graphs of both precisions in OUT. */
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createWeightFile, drafterGraph, openSource, planOf, readDrafter, storeRope, storeWeights, targetGraph } from "../../packages/model-import/dist/index.js";

const [from, out, positions] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const write = (name, graph, options) => {
  for (const arithmetic of ["int8", "fp32"]) {
    const file = name(arithmetic);
    writeFileSync(join(out, file), graph({ ...options, arithmetic, name: file.replace(/\.onnx$/, "") }));
  }
};

const source = await openSource(join(from, "target"));
const target = await createWeightFile(join(out, "target.bin"));
await storeWeights(source, planOf(source), target, { precision: "int8" });
await storeRope(target, source.config.rope, source.config.headDim, positions);
await target.close();
await source.close();
for (const kind of ["chain", "tree"])
  write((precision) => `target.${precision}.${kind}.onnx`, targetGraph, { shape: { ...source.config, positions }, weights: target, kind });

for (const name of ["drafter", "tapped"]) {
  const location = `${name}.safetensors`;
  const { config, tensors } = await readDrafter(join(from, location));
  copyFileSync(join(from, location), join(out, location));
  const rope = ["cos", "sin"].map((table) => [table, { ...target.tensors.get(table), location: "target.bin" }]);
  const weights = { location, tensors: new Map([...tensors, ...rope]) };
  const { maskId, top, taps } = config;
  write((precision) => `${name}.${precision}.onnx`, drafterGraph, { shape: { ...config, positions }, weights, maskId, top, taps: taps.length });
}
