import { chain, type VerifierSession } from "@diffuspec/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { open } from "../test/fixture-model.ts";
import { allLogits, code, full, greedy, PROMPT } from "../test/requests.ts";
import type { OnnxVerifier } from "./index.ts";

describe("prefill", () => {
  let verifier: OnnxVerifier;
  let session: VerifierSession;
  beforeAll(async () => {
    verifier = await open({ prefillChunk: 8 });
    session = await verifier.open();
  });
  afterAll(() => verifier.dispose());
  const ids = Int32Array.from({ length: 50 }, (_, i) => (i * 7 + 1) % 64);

  it("reuses what it has, committed tokens included", async () => {
    expect(await session.prefill(ids.slice(0, 20))).toEqual({ reused: 0, computed: 19 });
    expect(await session.prefill(ids.slice(0, 20))).toEqual({ reused: 19, computed: 0 });
    expect(await session.prefill(ids.slice(0, 10))).toEqual({ reused: 9, computed: 0 });
    await session.verify(chain(ids[9]!, [ids[10]!, ids[11]!, 0]), greedy);
    await session.commit(Int32Array.of(0, 1, 2));
    expect(session.length).toBe(12);
    expect(await session.prefill(ids.slice(0, 30))).toEqual({ reused: 12, computed: 17 });
    const other = ids.slice(0, 30);
    other[5] = 63;
    expect(await session.prefill(other)).toEqual({ reused: 5, computed: 24 });
    expect(await session.prefill(ids.slice(0, 1))).toEqual({ reused: 0, computed: 0 });
  });

  it("reports progress after each chunk", async () => {
    const seen: [number, number][] = [];
    await session.prefill(ids.slice(0, 1));
    await session.prefill(ids.slice(0, 20), { onProgress: (done, total) => seen.push([done, total]) });
    expect(seen).toEqual([
      [8, 19],
      [16, 19],
      [19, 19],
    ]);
  });

  it("stops between chunks when aborted, keeps what it has, and stays usable", async () => {
    await session.prefill(ids.slice(0, 1));
    const abort = new AbortController();
    const running = session.prefill(ids, {
      signal: abort.signal,
      onProgress: (done) => {
        if (done === 16) abort.abort(new Error("enough"));
      },
    });
    await expect(running).rejects.toMatchObject({ code: "ERR_ABORTED", name: "AbortError" });
    expect(session.length).toBe(16);
    await expect(session.prefill(ids, { signal: abort.signal })).rejects.toMatchObject({ code: "ERR_ABORTED" });
    expect(await session.prefill(ids)).toEqual({ reused: 16, computed: 33 });
    const rows = await session.verify(chain(ids.at(-1)!, [2]), full);
    const other = await verifier.open();
    await other.prefill(ids);
    expect(allLogits(await other.verify(chain(ids.at(-1)!, [2]), full))).toEqual(allLogits(rows));
  });

  it("refuses prompts it cannot run", async () => {
    await expect(session.prefill(new Int32Array())).rejects.toMatchObject({ code: "ERR_PROMPT" });
    await expect(session.prefill(Int32Array.of(1, 64))).rejects.toMatchObject({
      code: "ERR_PROMPT",
      details: { id: 64, at: 1 },
    });
    await expect(session.prefill(Int32Array.of(-1))).rejects.toMatchObject({ code: "ERR_PROMPT" });
    await expect(session.prefill(new Int32Array(97))).rejects.toMatchObject({ code: "ERR_CONTEXT_EXCEEDED" });
  });
});

describe("the context", () => {
  it("serves its last id, with any tree that fits", async () => {
    const verifier = await open();
    const session = await verifier.open();
    const ids = Int32Array.from({ length: 96 }, (_, i) => (i * 5 + 1) % 64);
    await session.prefill(ids);
    expect((await session.verify(chain(ids[95]!, []), greedy)).count).toBe(1);
    await expect(session.verify(chain(ids[95]!, [1]), greedy)).rejects.toMatchObject({ code: "ERR_CONTEXT_EXCEEDED" });
    await session.prefill(ids.slice(0, 95));
    const bush = {
      tokens: Int32Array.from({ length: 32 }, (_, i) => (i === 0 ? ids[94]! : i)),
      parents: new Int32Array(32),
    };
    bush.parents[0] = -1;
    expect((await session.verify(bush, greedy)).exact).toBe(2);
    await verifier.dispose();
  });
});

describe("misuse", () => {
  it("of commit", async () => {
    const verifier = await open();
    const session = await verifier.open();
    await session.prefill(PROMPT);
    const commit = async (...path: number[]) => session.commit(Int32Array.from(path));
    await expect(commit(0)).rejects.toMatchObject({ code: "ERR_CONTRACT" });
    const tree = { tokens: Int32Array.of(PROMPT.at(-1)!, 1, 2, 3), parents: Int32Array.of(-1, 0, 0, 2) };
    await session.verify(tree, greedy);
    for (const path of [[], [1], [0, 3], [0, 1, 2], [0, 4], [0, -1], [0, 2], [0, 2, 3]])
      await expect(commit(...path)).rejects.toMatchObject({ code: "ERR_CONTRACT" });
    expect(session.length).toBe(11);
    await commit(0, 1);
    expect(session.length).toBe(13);
    await expect(commit(0, 1)).rejects.toMatchObject({ code: "ERR_CONTRACT" });
    await verifier.dispose();
  });

  it("of a draft, at the same time, and after the end", async () => {
    const verifier = await open();
    const session = await verifier.open();
    await session.prefill(PROMPT);
    await expect(session.verify(chain(1, [64]), greedy)).rejects.toMatchObject({ code: "ERR_DRAFT_INVALID" });
    await expect(session.verify(chain(1, new Int32Array(32)), greedy)).rejects.toMatchObject({
      code: "ERR_DRAFT_INVALID",
    });
    const first = session.verify(chain(1, [2]), greedy);
    await expect(session.verify(chain(1, [2]), greedy)).rejects.toMatchObject({ code: "ERR_CONTRACT" });
    expect(() => session.commit(Int32Array.of(0))).toThrow(code("ERR_CONTRACT"));
    expect((await first).count).toBe(2);
    const ending = session.verify(chain(1, [2]), greedy);
    await session.dispose();
    await expect(ending).rejects.toMatchObject({ code: "ERR_CLOSED" });
    await expect(session.prefill(PROMPT)).rejects.toMatchObject({ code: "ERR_CLOSED" });
    const other = await verifier.open();
    await verifier.dispose();
    await expect(other.prefill(PROMPT)).rejects.toMatchObject({ code: "ERR_CLOSED" });
    expect(() => verifier.open()).toThrow(code("ERR_CLOSED"));
  });

  it("two sessions do not disturb each other", async () => {
    const verifier = await open();
    const [a, b] = [await verifier.open(), await verifier.open()];
    await Promise.all([a.prefill(PROMPT), b.prefill(PROMPT.slice(0, 5))]);
    const [x, y] = await Promise.all([
      a.verify(chain(PROMPT[11]!, [4]), full),
      b.verify(chain(PROMPT[4]!, [PROMPT[5]!]), full),
    ]);
    const alone = await verifier.open();
    await alone.prefill(PROMPT.slice(0, 5));
    expect(allLogits(await alone.verify(chain(PROMPT[4]!, [PROMPT[5]!]), full))).toEqual(allLogits(y));
    await alone.prefill(PROMPT);
    expect(allLogits(await alone.verify(chain(PROMPT[11]!, [4]), full))).toEqual(allLogits(x));
    await verifier.dispose();
  });
});
