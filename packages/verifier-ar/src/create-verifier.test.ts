import { chain, type Vocabulary } from "@diffuspec/contracts";
import { describe, expect, it } from "vitest";
import { open, resolve, target } from "../test/fixture-model.ts";
import { allLogits, full, greedy, PROMPT } from "../test/requests.ts";

describe("createVerifier", () => {
  const perTensor = {
    ...target,
    graphs: { int8: { chain: "target.per-tensor.chain.onnx", tree: "target.int8.tree.onnx" } },
  };

  it("refuses a graph that is not row-exact, and says the way out", async () => {
    const refused = open({ target: perTensor });
    await expect(refused).rejects.toMatchObject({ code: "ERR_NOT_ROW_EXACT" });
    await expect(refused).rejects.toThrow('exactness: "tolerant"');
    const tolerant = await open({ target: perTensor, exactness: "tolerant" });
    const session = await tolerant.open();
    await session.prefill(PROMPT);
    const tree = { tokens: Int32Array.of(PROMPT.at(-1)!, 1, 2), parents: Int32Array.of(-1, 0, 0) };
    const rows = await session.verify(tree, greedy);
    expect(rows.exact).toBe(3);
    await session.commit(Int32Array.of(0, 2));
    expect(tolerant.exactness).toBe("tolerant");
    await tolerant.dispose();
  });

  it("refuses a tree graph of another checkpoint at the first tree", async () => {
    const verifier = await open({
      target: { ...target, graphs: { int8: { chain: target.graphs.int8!.chain, tree: target.graphs.fp32!.tree } } },
    });
    const session = await verifier.open();
    await session.prefill(PROMPT);
    await session.verify(chain(1, [2]), greedy);
    const tree = { tokens: Int32Array.of(1, 1, 2), parents: Int32Array.of(-1, 0, 0) };
    await expect(session.verify(tree, greedy)).rejects.toMatchObject({ code: "ERR_NOT_ROW_EXACT" });
    expect((await session.verify(chain(1, [2]), greedy)).count).toBe(2);
    await verifier.dispose();
  });

  it("refuses options and files that make no sense", async () => {
    const option = (options: object) => expect(open(options)).rejects.toMatchObject({ code: "ERR_OPTION" });
    await option({ precision: "int4" });
    await option({ exactness: "nearly" });
    await option({ probe: true });
    await option({ prefillChunk: 1 });
    await option({ prefillChunk: Number.NaN });
    await option({ maxNodes: 1 });
    await option({ maxNodes: 127 });
    await option({ threads: -1 });
    await option({ target: { ...target, contextLength: 0 } });
    await expect(open({ resolve: (file) => `${resolve(file)}.gone` })).rejects.toMatchObject({
      code: "ERR_MODEL_FILE_MISSING",
    });
    await expect(open({ target: { ...target, layers: 5 } })).rejects.toMatchObject({ code: "ERR_GRAPH" });
    const vocabulary: Vocabulary = { size: 65, fingerprint: "", piece: () => undefined };
    await expect(open({ vocabulary })).rejects.toMatchObject({ code: "ERR_VOCABULARY_MISMATCH" });
  });

  it("gives room for more nodes where asked, at the cost of context", async () => {
    const verifier = await open({ maxNodes: 64, probe: "off" });
    expect(verifier).toMatchObject({ maxNodes: 64, contextLength: 64 });
    expect(verifier.rowExactness).toBeUndefined();
    const session = await verifier.open();
    await session.prefill(new Int32Array(63).fill(2));
    const bush = { tokens: new Int32Array(64).fill(2), parents: new Int32Array(64).fill(0) };
    bush.parents[0] = -1;
    expect((await session.verify(bush, greedy)).count).toBe(64);
    await verifier.dispose();
  });
});

it("threads chosen by measuring: rows are exact, bit for bit those of one thread, and the tree graph runs on as many", async () => {
  const [one, measured] = [await open(), await open({ threads: "measure" })];
  expect(measured.rowExactness).toMatchObject({ rowExact: true });
  expect((await measured.loadTree()).threads).toBe(measured.chain.threads);
  const [expected, found] = await Promise.all(
    [one, measured].map(async (verifier) => {
      const session = await verifier.open();
      await session.prefill(PROMPT);
      return allLogits(await session.verify(chain(PROMPT.at(-1)!, [3, 1, 4, 1, 5, 9]), full));
    }),
  );
  expect(found).toEqual(expected);
  await one.dispose();
  await measured.dispose();
});
