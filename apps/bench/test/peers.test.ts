import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openModel } from "@diffuspec/model-files";
import { modelDirectory } from "@diffuspec/model-tiny-js";
import { createPlainDecoder, type TargetManifest } from "@diffuspec/verifier-ar";
import { afterAll, describe, expect, test } from "vitest";
import { createPeers, type PeersOptions } from "../src/peers/create-peers.ts";
import { installPeer, type Npm } from "../src/peers/install.ts";
import { PEER_NAMES } from "../src/peers/names.ts";
import { type LlamaModule, openLlama } from "../src/peers/node-llama-cpp.ts";
import { peerPackage } from "../src/peers/packages.ts";
import type { LoadedPeer, PeerSettings } from "../src/peers/peer.ts";
import { openRemotePeer } from "../src/peers/remote.ts";
import { pickThreads } from "../src/peers/threads.ts";
import { openTransformers, type TransformersModule } from "../src/peers/transformers-js.ts";

const folder = mkdtempSync(join(tmpdir(), "diffuspec-peers-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const fresh = () => join(folder, `p${count++}`);

const settings: PeerSettings = {
  kind: "transformers.js",
  module: "",
  model: "m",
  contextLength: 64,
  eosIds: [9],
  threads: [1],
  trial: Int32Array.of(1, 2),
};
/** Does what npm would: the module is there afterwards. */
const npm: Npm = async (_, where) => {
  const { dependencies } = JSON.parse(readFileSync(join(where, "package.json"), "utf8"));
  for (const name of Object.keys(dependencies))
    for (const entry of ["dist/transformers.node.mjs", "dist/index.js"]) {
      const file = join(where, "node_modules", name, entry);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, "");
    }
};

describe("installing", () => {
  const wanted = peerPackage("transformers.js");

  test("says what it brings, runs no script, and happens once", async () => {
    const [root, lines, calls] = [fresh(), [] as string[], [] as string[][]];
    const counted: Npm = (args, where) => {
      calls.push([...args]);
      return npm(args, where);
    };
    const log = (line: string) => void lines.push(line);
    const module = await installPeer(wanted, { root, log, npm: counted });
    expect(existsSync(module)).toBe(true);
    expect(await installPeer(wanted, { root, log, npm: counted })).toBe(module);
    expect(calls).toHaveLength(1);
    expect(calls[0]).toContain("--ignore-scripts");
    expect(lines).toEqual([expect.stringMatching(/installing @huggingface\/transformers 4\.\d+\.\d+ .*about \d+ MB/)]);
    const { dependencies, overrides } = JSON.parse(
      readFileSync(join(root, `transformers-${wanted.version}`, "package.json"), "utf8"),
    );
    expect(dependencies).toEqual({ "@huggingface/transformers": wanted.version });
    expect(Object.keys(overrides)).toEqual(["sharp", "onnxruntime-web"]);
  });

  test("that fails is a typed error, and is tried again", async () => {
    const root = fresh();
    const log = () => {};
    const offline: Npm = () => Promise.reject(new Error("npm: ENOTFOUND"));
    const first = installPeer(wanted, { root, log, npm: offline });
    await expect(first).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
      message: expect.stringContaining("ENOTFOUND"),
    });
    const half = installPeer(wanted, { root, log, npm: async () => {} });
    await expect(half).rejects.toThrow(/is not there/);
    expect(existsSync(await installPeer(wanted, { root, log, npm }))).toBe(true);
  });

  test("a machine without a binary is refused before anything is fetched", () => {
    expect(() => peerPackage("node-llama-cpp", "sunos-sparc")).toThrow(
      expect.objectContaining({ code: "ERR_UNSUPPORTED" }),
    );
    expect(Object.keys(peerPackage("node-llama-cpp", "linux-arm64").dependencies)).toContain(
      "@node-llama-cpp/linux-arm64",
    );
  });
});

describe("adapters", () => {
  const ids = Int32Array.of(4, 5, 6);

  test("transformers.js: its ids without the prompt, asked greedily", async () => {
    const seen: Record<string, unknown>[] = [];
    const module: TransformersModule = {
      env: { allowRemoteModels: true },
      Tensor: class {
        readonly data: BigInt64Array;
        readonly dims: readonly number[];
        constructor(_: string, data: BigInt64Array, dims: readonly number[]) {
          this.data = data;
          this.dims = dims;
        }
      },
      AutoModelForCausalLM: {
        async from_pretrained(path, options) {
          seen.push({ path, ...options });
          return {
            async generate(request) {
              seen.push({ ...request });
              request.streamer.put([[4n, 5n, 6n]]);
              for (const id of [7n, 8n, 9n]) {
                await new Promise((done) => setTimeout(done, 2));
                request.streamer.put([[id]]);
              }
              request.streamer.end();
            },
            dispose: async () => {},
          };
        },
      },
    };
    const peer = await openTransformers(module, { ...settings, dtype: "q4" }, 2);
    const answer = await peer.generate(ids, 3);
    expect([...answer.ids]).toEqual([7, 8, 9]);
    expect(answer.prefillMs).toBeGreaterThan(0);
    expect(answer.decodeMs).toBeGreaterThan(0);
    expect(module.env.allowRemoteModels).toBe(false);
    expect(seen[0]).toMatchObject({ path: "m", dtype: "q4", session_options: { intraOpNumThreads: 2 } });
    expect(seen[1]).toMatchObject({
      max_new_tokens: 3,
      do_sample: false,
      inputs: { data: BigInt64Array.of(4n, 5n, 6n), dims: [1, 3] },
      attention_mask: { data: BigInt64Array.of(1n, 1n, 1n) },
    });
  });

  /** Writes the numbers behind the prompt's last, for ever. */
  function fakeLlama() {
    const seen = { cleared: 0, inputs: [] as number[], sequence: undefined as object | undefined };
    const module: LlamaModule = {
      async getLlama() {
        return {
          async loadModel() {
            return {
              async createContext() {
                return {
                  getSequence(options) {
                    seen.sequence = options;
                    return {
                      clearHistory: async () => void seen.cleared++,
                      async *evaluate(prompt: number[]) {
                        for (let id = prompt.at(-1)! + 1; ; id++) yield id;
                      },
                    };
                  },
                };
              },
              dispose: async () => {},
            };
          },
          dispose: async () => {},
        };
      },
      InputLookupTokenPredictor: class {
        updateInputTokens(of: readonly number[]) {
          seen.inputs = [...of];
        }
      },
    };
    return { module, seen };
  }

  test("node-llama-cpp: ends at the budget and at an end id, and keeps nothing of the answer before", async () => {
    const { module, seen } = fakeLlama();
    const peer = await openLlama(module, settings, 1);
    expect([...(await peer.generate(ids, 2)).ids]).toEqual([7, 8]);
    expect([...(await peer.generate(ids, 50)).ids]).toEqual([7, 8, 9]);
    expect(seen).toEqual({ cleared: 2, inputs: [], sequence: undefined });
  });

  test("node-llama-cpp with its predictor looks into the prompt", async () => {
    const { module, seen } = fakeLlama();
    await (await openLlama(module, { ...settings, lookup: true }, 1)).generate(ids, 2);
    expect(seen.inputs).toEqual([4, 5, 6]);
    expect(seen.sequence).toHaveProperty("tokenPredictor");
  });
});

test("the number of threads that decodes fastest is kept, the others are disposed", async () => {
  const disposed: number[] = [];
  const open = async (threads: number): Promise<LoadedPeer> => ({
    generate: async () => ({ ids: new Int32Array(10), prefillMs: 0, decodeMs: threads === 2 ? 10 : 20 }),
    dispose: async () => void disposed.push(threads),
  });
  const trial = Int32Array.of(1);
  expect(await pickThreads(open, { threads: [1, 2, 4], trial })).toMatchObject({ threads: 2 });
  expect(disposed).toEqual([1, 4]);
  expect(await pickThreads(open, { threads: [4], trial })).toMatchObject({ threads: 4 });
});

describe("a process of its own", () => {
  const program = (body: string) => {
    const file = `${fresh()}.mjs`;
    writeFileSync(file, body);
    return openRemotePeer(file, { name: "peer", version: "1.0.0", settings });
  };
  const leave = 'process.once("disconnect", () => process.exit());';

  test("answers, tells its errors, and ends", async () => {
    const peer = await program(`${leave}
      process.on("message", (m) => process.send(
        m.kind ? { ready: { threads: 3 } }
        : m.maxTokens > 3 ? { failed: "too long" }
        : { answer: { ids: m.ids, prefillMs: 1, decodeMs: 2 } }));`);
    expect(peer).toMatchObject({ name: "peer", version: "1.0.0", threads: 3 });
    expect(await peer.generate(Int32Array.of(3, 1), 2)).toEqual({
      ids: Int32Array.of(3, 1),
      prefillMs: 1,
      decodeMs: 2,
    });
    await expect(peer.generate(Int32Array.of(3), 4)).rejects.toMatchObject({
      code: "ERR_WORKER",
      message: expect.stringContaining("too long"),
    });
    await peer.dispose();
    await peer.dispose();
    await expect(peer.generate(Int32Array.of(3), 4)).rejects.toMatchObject({ code: "ERR_WORKER" });
  });

  test("that dies is an error with what it said last", async () => {
    const dies = program('process.on("message", () => { console.error("no such library"); process.exit(3); });');
    await expect(dies).rejects.toThrow(/ended with 3.*no such library/s);
  });
});

describe("createPeers", () => {
  const make = (options: Partial<PeersOptions>, started: string[] = [], lines: string[] = []) =>
    createPeers({
      directory: modelDirectory,
      contextLength: 64,
      eosIds: [0],
      trial: Int32Array.of(1),
      root: fresh(),
      npm,
      log: (line) => void lines.push(line),
      open: async ({ name, version, settings: { model, dtype, lookup } }) => {
        started.push(name);
        const facts = { model, dtype, lookup };
        return {
          name,
          version,
          dtype: dtype ?? "gguf",
          threads: 1,
          facts,
          generate: () => Promise.reject(new Error()),
          dispose: async () => {},
        };
      },
      ...options,
    });

  test("exports the pair once for every dtype, and lists what cannot run with the reason", {
    timeout: 60_000,
  }, async () => {
    const [root, started, lines] = [fresh(), [] as string[], [] as string[]];
    const names = ["transformers.js-q8", "node-llama-cpp", "node-llama-cpp-lookup"] as const;
    const { peers, missing } = await make({ root, names }, started, lines);
    expect(started).toEqual(["transformers.js-q8"]);
    const { model, dtype } = (peers[0] as unknown as { facts: { model: string; dtype: string } }).facts;
    expect(dtype).toBe("q8");
    expect(existsSync(join(model, "onnx", "model_quantized.onnx_data"))).toBe(true);
    expect(missing.map(({ name }) => name)).toEqual([
      "node-llama-cpp",
      "node-llama-cpp-lookup",
      "node-llama-cpp-draft",
    ]);
    expect(missing[0]!.why).toContain("--gguf");
    expect(lines.filter((line) => line.startsWith("exporting"))).toHaveLength(1);
    await make({ root, names }, started, lines);
    expect(lines.filter((line) => line.startsWith("exporting"))).toHaveLength(1);
  });

  test("goes on where nothing can be installed, and asks once a package", async () => {
    let asked = 0;
    const offline: Npm = () => Promise.reject(new Error(`offline ${asked++}`));
    const gguf = join(folder, "m.gguf");
    writeFileSync(gguf, "x");
    const { peers, missing } = await make({ npm: offline, gguf });
    expect(peers).toEqual([]);
    expect(missing.map(({ name }) => name)).toEqual([...PEER_NAMES, "node-llama-cpp-draft"]);
    expect(missing[0]!.why).toMatch(/offline 0.*without --peers/s);
    expect(asked).toBe(2);
  });

  test("a peer that cannot be loaded leaves the others", async () => {
    const gguf = join(folder, "n.gguf");
    writeFileSync(gguf, "x");
    const names = ["transformers.js-q8", "node-llama-cpp"] as const;
    const { peers, missing } = await make({ gguf, names });
    expect(peers.map(({ name }) => name)).toEqual(["node-llama-cpp"]); // the export of a GGUF file of one byte fails
    expect(missing).toHaveLength(1);
    expect(missing[0]!.why).toMatch(/cannot be read/);
  });

  // Wants apps/bench/.peers (a run with --peers makes it) and apps/bench/dist; no test installs anything.
  const root = process.env.DIFFUSPEC_PEERS;
  test.skipIf(root === undefined)(
    "with DIFFUSPEC_PEERS=DIR, transformers.js writes the text of our float32 graph",
    async () => {
      const host = fileURLToPath(new URL("../dist/peer-host.js", import.meta.url));
      const { peers, missing, dispose } = await createPeers({
        names: ["transformers.js-fp32"],
        directory: modelDirectory,
        contextLength: 64,
        eosIds: [0],
        trial: Int32Array.of(1, 2),
        root: root!,
        threads: 1,
        open: (peer) => openRemotePeer(host, peer),
      });
      expect(missing).toEqual([]);
      const { manifest, path } = await openModel(modelDirectory);
      const target = manifest.target as TargetManifest;
      const plain = await createPlainDecoder({ target, resolve: path, precision: "fp32", threads: 1 });
      const prompt = Int32Array.of(0, 17, 4, 300, 45);
      const [theirs, ours] = [await peers[0]!.generate(prompt, 24), await plain.decode(prompt, { maxTokens: 24 })];
      expect(theirs.ids).toEqual(ours.ids);
      await plain.dispose();
      await dispose();
    },
  );
});
