import { chain } from "@diffuspec/contracts";
import { describe, expect, it } from "vitest";
import {
  createByteTokenizer,
  createFakeModel,
  createFakeTokenizer,
  createFakeVerifier,
  createScriptedDrafter,
  drafterConformance,
  emptyDrafter,
  eosDrafter,
  overfullDrafter,
  overlongDrafter,
  plainDecode,
  randomDrafter,
  treeDrafter,
  verifierConformance,
} from "./index.ts";

const model = createFakeModel();

describe("conformance suites pass what conforms", () => {
  const verifiers = {
    exact: () => createFakeVerifier({ order: 5 }),
    "trunk only": () => createFakeVerifier({ exactTrunkOnly: 3 }),
    ties: () => createFakeVerifier({ ties: 3 }),
  };
  for (const [name, make] of Object.entries(verifiers))
    for (const check of verifierConformance(make, { needs: { topK: 4 } })) it(`${name}: ${check.name}`, check.run);
  const drafters = {
    random: () => randomDrafter(32),
    tree: () => treeDrafter(model),
    empty: emptyDrafter,
    eos: () => eosDrafter(model, 0),
  };
  for (const [name, make] of Object.entries(drafters))
    for (const check of drafterConformance(make)) it(`${name}: ${check.name}`, check.run);
});

describe("conformance suites fail what does not", () => {
  const failures = async (checks: { run(): Promise<void> }[]) => {
    let failed = 0;
    for (const check of checks) await check.run().catch(() => failed++);
    return failed;
  };
  it("drafters that overstep or remember across sessions", async () => {
    expect(await failures(drafterConformance(overlongDrafter))).toBeGreaterThan(0);
    expect(await failures(drafterConformance(overfullDrafter))).toBeGreaterThan(0);
    let calls = 0;
    const forgetful = () => createScriptedDrafter("x", ({ root }) => ({ tree: chain(root, [calls++ % 32]) }));
    expect(await failures(drafterConformance(forgetful))).toBe(1);
  });
  it("a verifier that commits one row too few", async () => {
    const make = () => {
      const good = createFakeVerifier();
      return {
        ...good,
        async open() {
          const session = await good.open();
          return {
            get length() {
              return session.length;
            },
            prefill: session.prefill,
            verify: session.verify,
            commit: (path: Int32Array) => session.commit(path.slice(0, Math.max(1, path.length - 1))),
            dispose: session.dispose,
          };
        },
      };
    };
    expect(await failures(verifierConformance(make))).toBeGreaterThan(0);
  });
});

describe("the fake verifier is strict", () => {
  it.each([
    ["verify before prefill", async (s) => s.verify(chain(0, []), { logits: false })],
    ["commit before verify", async (s) => s.prefill(Int32Array.of(1)).then(() => s.commit(Int32Array.of(0)))],
    ["two calls at once", async (s) => Promise.all([s.prefill(Int32Array.of(1, 2)), s.prefill(Int32Array.of(1))])],
    [
      "rows read late",
      async (s) => {
        await s.prefill(Int32Array.of(1));
        const rows = await s.verify(chain(1, []), { logits: false });
        await s.commit(Int32Array.of(0));
        rows.argmax(0);
      },
    ],
    [
      "logits not asked for",
      async (s) => {
        await s.prefill(Int32Array.of(1));
        (await s.verify(chain(1, []), { logits: false })).logits(0);
      },
    ],
    [
      "a path that jumps",
      async (s) => {
        await s.prefill(Int32Array.of(1));
        await s.verify(chain(1, [2, 3]), { logits: false });
        await s.commit(Int32Array.of(0, 2));
      },
    ],
  ] satisfies [string, (s: Awaited<ReturnType<ReturnType<typeof createFakeVerifier>["open"]>>) => Promise<unknown>][])(
    "%s",
    async (_, misuse) => {
      await expect(misuse(await createFakeVerifier().open())).rejects.toMatchObject({ code: "ERR_CONTRACT" });
    },
  );
});

it("plain decoding ends at an EOS, a limit, the context and a stop string", async () => {
  const greedy = {
    argmaxOnly: false,
    temperature: 0,
    noise: () => 0,
    token: (logits: Float32Array) => logits.indexOf(Math.max(...logits)),
  };
  const verifier = createFakeVerifier({ contextLength: 30, vocabularySize: 16 });
  const free = await plainDecode(verifier, [1, 2], greedy, { maxTokens: 20 });
  expect(free).toMatchObject({ finishReason: "length", text: "" });
  expect((await plainDecode(verifier, [1, 2], greedy, { maxTokens: 99 })).tokens).toHaveLength(28);
  const eos = await plainDecode(verifier, [1, 2], greedy, { maxTokens: 20, eosIds: [free.tokens[4]!] });
  expect(eos.tokens).toEqual(free.tokens.slice(0, free.tokens.indexOf(free.tokens[4]!) + 1));
  const { stream } = createFakeTokenizer([..."abcdefghijklmnop"]);
  const all = (await plainDecode(verifier, [1, 2], greedy, { maxTokens: 20, text: stream() })).text;
  const stop = all.slice(5, 8);
  const cut = await plainDecode(verifier, [1, 2], greedy, { maxTokens: 20, text: stream(), stop: [stop] });
  expect(cut).toMatchObject({ finishReason: "stop", text: all.slice(0, all.indexOf(stop)) });
});

it("the fake tokenizers round-trip, and the byte stream holds unfinished characters back", () => {
  const bytes = createByteTokenizer();
  const text = "aé€😀";
  expect(bytes.decode(bytes.encode(text))).toBe(text);
  const stream = bytes.stream();
  const pieces = [...bytes.encode(text)].map((id) => stream.push([id]));
  expect(pieces.filter((piece) => piece !== "")).toEqual(["a", "é", "€", "😀"]);
  const words = createFakeTokenizer(["a", "ab", "b", "<eos>"], [3]);
  expect([...words.encode("aabb")]).toEqual([0, 1, 2]);
});
