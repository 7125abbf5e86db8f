import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { TopM } from "@diffuspec/lattice";
import { createCache, createDecoder, type Decoder, rowRange } from "@diffuspec/onnx-decoder";
import { afterAll, beforeAll, expect, test } from "vitest";
import { blockBias } from "./block-bias.ts";
import { createForward } from "./forward.ts";
import type { DlmManifest } from "./options.ts";
import { createShiftedForward } from "./shift.ts";

const fixture = new URL("../../onnx-decoder/test/fixture/", import.meta.url);
const { tapped } = JSON.parse(readFileSync(new URL("manifest.json", fixture), "utf8")) as { tapped: DlmManifest };
const graph = fileURLToPath(new URL(tapped.graphs.int8!, fixture));
const none = new Int32Array(0);
const ids = Int32Array.from({ length: 40 }, (_, i) => 2 + ((i * 37 + 5) % 62));
const block = new Int32Array(4).fill(tapped.maskId);
let decoder: Decoder;
let width: number;
let taps: Float32Array;
beforeAll(async () => {
  decoder = await createDecoder({ graph, shape: tapped, threads: 1 });
  width = decoder.tapsWidth;
  taps = Float32Array.from({ length: ids.length * width }, (_, i) => Math.sin(i));
});
afterAll(() => decoder.dispose());

const open = () => createShiftedForward(createForward(decoder), width);
const rowsOf = (first: number, end?: number) => taps.subarray(first * width, end && end * width);

/** What the graph says of a text of 40 ids and three masks behind it, the target seen up to `seen`, in the four rows from the last known id on. */
async function reference(seen = 40): Promise<TopM> {
  const told = new Float32Array(43 * width);
  told.set(rowsOf(0, seen));
  if (seen === 40) for (const i of [40, 41, 42]) told.set(rowsOf(39), i * width);
  const pass = await decoder.run(createCache(tapped), {
    ids: Int32Array.of(...ids, ...block.subarray(1)),
    rows: rowRange(39, 43),
    fetch: ["top_ids", "top_logits", "log_sum_exp"],
    bias: blockBias(40, 3, 0),
    taps: told,
  });
  return { ids: pass.i32("top_ids"), logits: pass.f32("top_logits"), logSumExp: pass.f32("log_sum_exp") };
}

test.each([[[40]], [[20, 40]], [[1, 2, 3, 40]], [[2, 39, 40]], [[1, 40]]])(
  "a text that came in pieces ending at %j is drafted for by its last id and k - 1 masks",
  async (cuts) => {
    const forward = open();
    let at = 0;
    for (const cut of cuts) {
      await forward.extend(ids.slice(at, cut), rowsOf(at, cut));
      at = cut;
      expect(forward.length).toBe(at);
    }
    const expected = await reference();
    for (let again = 0; again < 2; again++)
      expect(await forward.draft(none, none, block, rowRange(0, 4))).toEqual(expected);
    forward.dispose();
  },
);

test("fresh ids are cached but for the last, and a draft may look at some rows only", async () => {
  const forward = open();
  await forward.extend(ids.slice(0, 21), rowsOf(0, 21));
  await forward.draft(ids.slice(21, 30), none, block, rowRange(0, 4), rowsOf(21, 30));
  const table = await forward.draft(ids.slice(30), none, block, Int32Array.of(0, 2), rowsOf(30));
  const whole = await reference();
  const { top } = tapped;
  expect([...table.ids]).toEqual([...whole.ids.subarray(0, top), ...whole.ids.subarray(2 * top, 3 * top)]);
  expect(forward.length).toBe(40);
});

test("behind a head, which nobody chose yet, masks are told nothing", async () => {
  const forward = open();
  await forward.extend(ids.slice(0, 39), rowsOf(0, 39));
  expect(await forward.draft(none, ids.slice(39), block, rowRange(0, 4))).toEqual(await reference(39));
  expect(forward.length).toBe(39);
});

test("a text cut back is read again from the id before the cut", async () => {
  const forward = open();
  await forward.extend(ids, taps);
  forward.truncate(40);
  expect(forward.length).toBe(40);
  forward.truncate(20);
  expect(forward.length).toBe(19);
  await forward.extend(ids.slice(19), rowsOf(19));
  expect(await forward.draft(none, none, block, rowRange(0, 4))).toEqual(await reference());
  forward.truncate(0);
  expect(forward.length).toBe(0);
});

test("one position is drafted beside one mask", async () => {
  const forward = open();
  await forward.extend(ids.slice(0, 2), rowsOf(0, 2));
  expect((await forward.draft(none, none, block.subarray(0, 1), Int32Array.of(0))).logSumExp).toHaveLength(1);
});
