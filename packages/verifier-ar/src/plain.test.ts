import { chain, type Sampler } from "@diffuspec/contracts";
import { createDecoder } from "@diffuspec/onnx-decoder";
import { describe, expect, it } from "vitest";
import { open, resolve, target } from "../test/fixture-model.ts";
import { createPlainDecoder, pickFastestPlain } from "./index.ts";

const PROMPT = Int32Array.of(5, 9, 33, 21, 60, 2);
const options = { target, resolve, threads: 1 };

describe.each(["int8", "fp32"] as const)("plain decoding, %s", (precision) => {
  it("writes what verification of empty drafts writes", async () => {
    const plain = await createPlainDecoder({ ...options, precision });
    const { ids } = await plain.decode(PROMPT, { maxTokens: 60, stopAtEos: false });
    const verifier = await open({ precision });
    const session = await verifier.open();
    await session.prefill(PROMPT);
    const expected: number[] = [];
    for (let root = PROMPT.at(-1)!; expected.length < 60; root = expected.at(-1)!) {
      expected.push((await session.verify(chain(root, []), { logits: false })).argmax(0));
      await session.commit(Int32Array.of(0));
    }
    // No near tie of this model and prompt is close enough for the one-row kernels to turn it.
    expect([...ids]).toEqual(expected);
    await plain.dispose();
    await verifier.dispose();
  });
});

describe("createPlainDecoder", () => {
  it("asks the sampler with the position and all ids before it, and ends at EOS", async () => {
    const decoder = await createDecoder({ graph: resolve(target.graphs.int8!.chain), shape: target, threads: 1 });
    const plain = await createPlainDecoder({ ...options, decoder });
    const seen: number[][] = [];
    const sampler: Sampler = {
      argmaxOnly: false,
      temperature: 1,
      token: (logits, position, ids) => {
        expect(logits).toHaveLength(64);
        expect(position).toBe(ids.length);
        seen.push([...ids]);
        return ids.length === 9 ? 0 : ids.length;
      },
      noise: () => 0,
    };
    expect([...(await plain.decode(PROMPT, { maxTokens: 20, sampler })).ids]).toEqual([6, 7, 8, 0]);
    expect(seen.at(-1)).toEqual([...PROMPT, 6, 7, 8]);
    expect((await plain.decode(PROMPT, { maxTokens: 20, sampler, stopAtEos: false })).ids).toHaveLength(20);
    await plain.dispose();
    await plain.decode(PROMPT, { maxTokens: 1 }); // the decoder is ours and still open
    await decoder.dispose();
    await expect(plain.decode(PROMPT, { maxTokens: 1 })).rejects.toMatchObject({ code: "ERR_CLOSED" });
  });

  it("refuses and aborts with a typed error", async () => {
    const plain = await createPlainDecoder(options);
    const refused = (ids: Int32Array, maxTokens: number, code: string, signal?: AbortSignal) =>
      expect(plain.decode(ids, { maxTokens, ...(signal && { signal }) })).rejects.toMatchObject({ code });
    await refused(PROMPT, 0, "ERR_OPTION");
    await refused(PROMPT, Number.NaN, "ERR_OPTION");
    await refused(PROMPT, 91, "ERR_CONTEXT_EXCEEDED");
    await refused(new Int32Array(), 1, "ERR_PROMPT");
    await refused(Int32Array.of(64), 1, "ERR_PROMPT");
    await refused(PROMPT, 5, "ERR_ABORTED", AbortSignal.abort());
    await plain.dispose();
    await expect(createPlainDecoder({ ...options, precision: "int4" as never })).rejects.toMatchObject({
      code: "ERR_OPTION",
    });
  });
});

it("pickFastestPlain times every graph and returns the fastest", async () => {
  const { plain, msPerToken } = await pickFastestPlain({ ...options, tokens: 8, repeats: 1 });
  expect(Object.keys(msPerToken).sort()).toEqual(["fp32", "int8"]);
  expect(msPerToken[plain.precision]).toBe(Math.min(...Object.values(msPerToken)));
  expect((await plain.decode(PROMPT, { maxTokens: 3, stopAtEos: false })).ids).toHaveLength(3);
  await plain.dispose();
});
