import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DlmManifest } from "@diffuspec/drafter-dlm";
import { createCache, createDecoder, rowRange, UNSEEN } from "@diffuspec/onnx-decoder";
import { afterAll, describe, expect, expectTypeOf, it } from "vitest";
import { goldenPath } from "../../test/golden.ts";
import { type Entry, saveTensors } from "../../test/save-tensors.ts";
import { importModel } from "../import-model.ts";
import { drafterEntry } from "./attach.ts";
import { type DrafterConfig, readDrafter } from "./drafter-file.ts";

const dir = mkdtempSync(join(tmpdir(), "import-drafter-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const tokenizer = join(dir, "tokenizer.json");
writeFileSync(tokenizer, "{}");

const config = {
  format: 1,
  name: "a drafter",
  licence: "MIT",
  target: "a random Llama",
  ...{ layers: 1, width: 32, heads: 4, kvHeads: 2, headDim: 16, hidden: 48, vocabularySize: 64 },
  ...{ epsilon: 1e-6, ropeTheta: 100_000, maskId: 1, top: 4, maxMasks: 8 },
  taps: [1, "output"],
  draft: { lattice: { tau: 0.9 } },
} as const satisfies DrafterConfig;

/** Pseudo-random weights, always the same. */
function weights(vocabulary?: readonly number[]): Record<string, Entry> {
  let seed = 1;
  const next = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647 - 0.5;
  };
  const out: Record<string, Entry> = {};
  const linear = (name: string, inputs: number, outputs: number) => {
    out[`${name}.q`] = ["I8", [inputs, outputs], Int8Array.from({ length: inputs * outputs }, () => next() * 254)];
    out[`${name}.s`] = ["F32", [outputs], new Float32Array(outputs).fill(0.004)];
  };
  const ones = (name: string) => {
    out[name] = ["F32", [32], new Float32Array(32).fill(1)];
  };
  linear("0.qkv", 32, 128);
  linear("0.o", 64, 32);
  linear("0.gate_up", 32, 96);
  linear("0.down", 48, 32);
  linear("taps.join", 64, 32);
  for (const name of ["0.norm1", "0.norm2", "norm", "taps.norm0", "taps.norm1"]) ones(name);
  if (vocabulary) out.vocabulary = ["I32", [vocabulary.length], Int32Array.from(vocabulary)];
  return out;
}

let count = 0;
function save(tensors: Record<string, Entry>, description: object | string = config): string {
  const path = join(dir, `drafter-${count++}.safetensors`);
  saveTensors(path, tensors, {
    diffuspec: typeof description === "string" ? description : JSON.stringify(description),
  });
  return path;
}

const attach = (drafter: string, precision: "int8" | "fp32" | "int4" = "int8") =>
  importModel({ source: goldenPath("llama-tied"), out: join(dir, `out-${count++}`), tokenizer, drafter, precision });

/** The table of four masks behind six ids. */
async function draft(path: string, precision: string, drafts: boolean) {
  const shape = { ...config, positions: 64 + 128 };
  const decoder = await createDecoder({ graph: join(path, `drafter.${precision}.onnx`), shape, threads: 1 });
  const bias = new Float32Array(100);
  for (let i = 0; i < 6; i++) bias.fill(UNSEEN, i * 10 + i + 1, (i + 1) * 10);
  const pass = await decoder.run(createCache(shape), {
    ids: Int32Array.of(9, 33, 2, 17, 60, 41, 1, 1, 1, 1),
    rows: rowRange(6, 10),
    fetch: ["top_ids", "top_logits", "log_sum_exp", ...(drafts ? [] : ["logits"])],
    bias,
    taps: Float32Array.from({ length: 640 }, (_, i) => (i < 384 ? Math.sin(i) : 0)),
  });
  const [ids, logits, sums] = [pass.i32("top_ids"), pass.f32("top_logits"), pass.f32("log_sum_exp")];
  const out = { ids, logits, sums, all: drafts ? undefined : pass.f32("logits").slice() };
  await decoder.dispose();
  return out;
}

describe.each(["int8", "fp32", "int4"] as const)("a drafter over the %s target's embedding", (precision) => {
  it("drafts a part of the vocabulary with the logits that the whole would have", async () => {
    const part = [3, 5, 9, 17, 30, 31, 32, 60, 63];
    const whole = await draft((await attach(save(weights()), precision)).dir, precision, precision === "int4");
    const some = await draft((await attach(save(weights(part)), precision)).dir, precision, true);
    expect([...some.ids].every((id) => part.includes(id))).toBe(true);
    if (whole.all === undefined) return; // the LM head of int4 rounds otherwise
    for (let row = 0; row < 4; row++) {
      const logits = part.map((id) => [id, whole.all![row * 64 + id]!] as const).sort((a, b) => b[1] - a[1]);
      expect([...some.ids.subarray(row * 4, row * 4 + 4)]).toEqual(logits.slice(0, 4).map(([id]) => id));
      expect(some.logits[row * 4]).toBeCloseTo(logits[0]![1], 5);
      expect(some.sums[row]).toBeCloseTo(Math.log(logits.reduce((sum, [, x]) => sum + Math.exp(x), 0)), 4);
    }
  });
});

describe("a drafter with an embedding of its own", () => {
  /** The target's int8 embedding, which lies behind the two rotary tables. */
  async function embeddingOfTarget(): Promise<Record<string, Entry>> {
    const file = readFileSync(join((await attach(save(weights()))).dir, "target.int8.bin"));
    const at = 2 * 4 * (64 + 128) * 8;
    const q = Int8Array.from(file.subarray(at, at + 64 * 32), (byte) => (byte << 24) >> 24);
    const s = new Float32Array(Uint8Array.from(file.subarray(at + 64 * 32, at + 64 * 36)).buffer);
    return { "embedding.q": ["I8", [64, 32], q], "embedding.s": ["F32", [64], s] };
  }

  it("that equals the target's drafts the same, to the bit, over weights of any precision", async () => {
    const own = save({ ...weights(), ...(await embeddingOfTarget()) });
    const shared = await draft((await attach(save(weights()))).dir, "int8", false);
    expect(await draft((await attach(own)).dir, "int8", false)).toEqual(shared);
    expect(await draft((await attach(own, "int4")).dir, "int4", false)).toEqual(shared);
  });

  it("may have an LM head of its own", async () => {
    const embedding = await embeddingOfTarget();
    const [, shape, q] = embedding["embedding.q"]!;
    const rows = Array.from({ length: 64 }, (_, i) => [...q.subarray(i * 32, i * 32 + 32)]).reverse();
    const head: Record<string, Entry> = {
      "head.q": ["I8", shape, Int8Array.from(rows.flat())],
      "head.s": ["F32", [64], embedding["embedding.s"]![2].slice().reverse()],
    };
    const turned = await draft((await attach(save({ ...weights(), ...embedding, ...head }))).dir, "int8", false);
    const { all } = await draft((await attach(save(weights()))).dir, "int8", false);
    for (const id of [0, 5, 61]) expect(turned.all![63 - id]).toBe(all![id]);
    await expect(readDrafter(save({ ...weights(), ...head }))).rejects.toMatchObject({ code: "ERR_PARSE" });
  });

  it("may be of another width where it reads no hidden rows", async () => {
    const narrow = { ...config, layers: 1, width: 16, heads: 1, kvHeads: 1, hidden: 16, taps: [], epsilon: 1e-5 };
    const matrix = (inputs: number, outputs: number): Entry => [
      "I8",
      [inputs, outputs],
      new Int8Array(inputs * outputs),
    ];
    const row = (length: number): Entry => ["F32", [length], new Float32Array(length).fill(1)];
    const tensors: Record<string, Entry> = { "embedding.q": matrix(64, 16), "embedding.s": row(64) };
    for (const [name, outputs] of Object.entries({ qkv: 48, o: 16, gate_up: 32, down: 16 }))
      Object.assign(tensors, { [`0.${name}.q`]: matrix(16, outputs), [`0.${name}.s`]: row(outputs) });
    for (const name of ["0.norm1", "0.norm2", "norm"]) tensors[name] = row(16);
    const { files } = await attach(save(tensors, narrow));
    expect(Object.keys(files)).toContain("drafter.int8.onnx");
    const turned = attach(save(tensors, { ...narrow, ropeTheta: 1 }));
    await expect(turned).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  });
});

it("writes the drafter's entry and its settings into the manifest", async () => {
  expectTypeOf(drafterEntry).returns.toExtend<DlmManifest>();
  const { dir: out, files } = await attach(save(weights()));
  const manifest = JSON.parse(readFileSync(join(out, "manifest.json"), "utf8"));
  expect(manifest.drafter).toMatchObject({
    ...{ name: "a drafter", maskId: 1, top: 4, taps: [1, "output"], eosIds: [2, 7], contextLength: 64 },
    graphs: { int8: "drafter.int8.onnx" },
  });
  expect(manifest.draft).toEqual({ lattice: { tau: 0.9 } });
  expect(Object.keys(files)).toContain("drafter.int8.onnx");
});

describe("a drafter that does not fit is refused", () => {
  it.each([
    ["another width", { ...config, width: 16 }, "ERR_PARSE"],
    ["another vocabulary", { ...config, vocabularySize: 65 }, "ERR_UNSUPPORTED"],
    ["another rotary base", { ...config, ropeTheta: 10_000 }, "ERR_UNSUPPORTED"],
    ["a tap too deep", { ...config, taps: [1, 2] }, "ERR_UNSUPPORTED"],
    ["fewer taps than weights", { ...config, taps: [1] }, "ERR_PARSE"],
    ["more layers than weights", { ...config, layers: 2 }, "ERR_PARSE"],
    ["another format", { ...config, format: 2 }, "ERR_PARSE"],
    ["a mask outside", { ...config, maskId: 64 }, "ERR_PARSE"],
    ["an endless size", { ...config, hidden: 1e300 }, "ERR_PARSE"],
    ["no JSON", "{", "ERR_PARSE"],
    ["nothing", "null", "ERR_PARSE"],
  ])("%s", async (_, description, code) => {
    await expect(attach(save(weights(), description))).rejects.toMatchObject({ code });
  });

  it("a tensor of another type, one too many, too few ids, a file cut short, no file", async () => {
    const wrong = { ...weights(), norm: ["I32", [32], new Int32Array(32)] as Entry };
    await expect(readDrafter(save(wrong))).rejects.toMatchObject({ code: "ERR_PARSE" });
    await expect(readDrafter(save(weights([1, 2])))).rejects.toMatchObject({ code: "ERR_PARSE" });
    const more = { ...weights(), "0.qkv.w": ["F32", [1], new Float32Array(1)] as Entry };
    await expect(readDrafter(save(more))).rejects.toMatchObject({ code: "ERR_PARSE" });
    const path = save(weights());
    writeFileSync(path, readFileSync(path).subarray(0, -1));
    await expect(readDrafter(path)).rejects.toMatchObject({ code: "ERR_PARSE" });
    await expect(attach(join(dir, "none"))).rejects.toMatchObject({ code: "ERR_MODEL_FILE_MISSING" });
  });
});
