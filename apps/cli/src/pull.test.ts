import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { openModel } from "@diffuspec/model-files";
import { createEngine } from "diffuspec/engine";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "./cli.ts";

const dir = mkdtempSync(join(tmpdir(), "cli-pull-"));
const golden = (file: string) =>
  fileURLToPath(new URL(`../../../packages/model-import/test/golden/${file}`, import.meta.url));
/** A published decoder and a diffusion model that fits it. */
const published = (file: string) =>
  fileURLToPath(new URL(`../../../packages/diffuspec/test/hub/${file}`, import.meta.url));
const registry = join(dir, "pairs.json");
let hub: string;
let server: Server;

beforeAll(async () => {
  server = createServer((request, response) => {
    const path = request.url!.replace("/org/", "").replace("/resolve/main/", "/");
    const known = path.startsWith("target/") || path.startsWith("canvas/") ? published(path) : undefined;
    const file = known ?? (path.endsWith("/tokenizer.json") ? undefined : golden(path));
    if (file !== undefined && !existsSync(file)) return void response.writeHead(404).end();
    const body = file === undefined ? Buffer.from("{}") : readFileSync(file);
    response.setHeader("content-length", body.length);
    response.end(request.method === "HEAD" ? undefined : body);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  hub = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const part = { model: "org/qwen2", licence: "Apache-2.0", parameters: 1000 };
  const config = [{ path: "config.json" }, { path: "tokenizer.json" }];
  const safetensors = {
    repository: "org/qwen2",
    format: "safetensors",
    files: [...config, { path: "model.safetensors.index.json", shards: true }],
    bytes: 100_000,
  };
  // Any file will do for a drafter that is only carried along.
  const onnx = {
    repository: "org/qwen3",
    format: "onnx",
    files: [{ path: "config.json" }],
    main: "config.json",
    preset: "qwen3-0.6b-mdlm",
    bytes: 100,
  };
  const files = (...paths: string[]) => paths.map((path) => ({ path }));
  const asPublished = {
    repository: "org/target",
    format: "onnx",
    main: "onnx/model_q4.onnx",
    files: files(
      "config.json",
      "generation_config.json",
      "tokenizer.json",
      "tokenizer_config.json",
      "onnx/model_q4.onnx",
    ),
    bytes: 70_000,
  };
  const canvas = {
    repository: "org/canvas",
    format: "onnx",
    main: "onnx/model.onnx",
    files: files("tokenizer.json", "onnx/model.onnx", "onnx/model.onnx_data"),
    canvas: { maskId: 264 },
    bytes: 80_000,
  };
  const absent = { ...safetensors, files: [{ path: "absent.safetensors" }] };
  const entry = (source: object, more: object = {}) => ({
    title: "small",
    target: part,
    drafter: null,
    source: { kind: "hub", ...source },
    measured: null,
    notMeasured: "not measured",
    ...more,
  });
  writeFileSync(
    registry,
    JSON.stringify({
      format: 1,
      pairs: {
        "small-qwen2": entry(
          { target: safetensors, drafter: onnx, import: { precision: ["int4"] } },
          { drafter: part },
        ),
        published: entry({ target: asPublished, drafter: canvas }, { drafter: part, load: { drafter: "recycling" } }),
        absent: entry({ target: absent }, { obtain: ["ask its maker"] }),
        own: entry({ kind: "directory", path: "x" }, { notMeasured: "never" }),
      },
    }),
  );
});
afterAll(async () => {
  await new Promise((done) => server.close(done));
  rmSync(dir, { recursive: true, force: true });
});

const cli = (...argv: string[]) => cliOn({}, ...argv);

async function cliOn(terminal: { isTTY?: boolean }, ...argv: string[]) {
  const [stdout, stderr] = [new PassThrough(), Object.assign(new PassThrough(), terminal)];
  const code = await runCli(argv, {
    stdin: new PassThrough(),
    stdout,
    stderr,
    env: { HF_ENDPOINT: hub },
    signal: new AbortController().signal,
    load: () => Promise.reject(new Error("nothing is loaded here")),
  });
  return { code, out: String(stdout.read() ?? ""), err: String(stderr.read() ?? "") };
}

test("a pair is fetched, imported, and a model directory with its drafter's files", async () => {
  const out = join(dir, "model");
  const first = await cli("pull", "small-qwen2", "--registry", registry, "--out", out, "--json");
  expect(first).toMatchObject({ code: 0, err: "" });
  const { files, already } = JSON.parse(first.out);
  expect(already).toBe(false);
  expect(files.map(({ path }: { path: string }) => path)).toEqual([
    "config.json",
    "tokenizer.json",
    "model.safetensors.index.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "config.json",
  ]);
  const { manifest } = await openModel(out);
  expect(manifest).toMatchObject({
    name: "pairs/small-qwen2",
    licence: "Apache-2.0",
    hubDrafter: { preset: "qwen3-0.6b-mdlm", graph: "drafter/config.json" },
    target: { graphs: { int4: expect.anything() } },
  });
  expect(Object.keys(manifest.files)).toContain("drafter/config.json");
  expect(readdirSync(dir).sort()).toEqual(["model", "pairs.json"]);

  const again = await cli("pull", "small-qwen2", "--registry", registry, "--out", out);
  expect(again).toMatchObject({ code: 0, out: expect.stringContaining("is already in") });
});

test("a published pair is taken as it is, and load() runs it with its drafter", async () => {
  const out = join(dir, "published");
  const { code, out: said } = await cli("pull", "published", "--registry", registry, "--out", out);
  expect([code, said]).toEqual([0, expect.stringContaining(`--model ${out}`)]);
  expect((await openModel(out)).manifest).toMatchObject({
    name: "pairs/published",
    licence: "Apache-2.0",
    hubTarget: { graph: "onnx/model_q4.onnx" },
    hubDrafter: { model: "org/qwen2", canvas: { maskId: 264 }, graph: "drafter/onnx/model.onnx" },
  });
  const texts = [];
  const engine = await createEngine({ model: out, threads: 1 });
  expect(engine.info.drafters).toContain("dlm");
  for (const drafter of ["none", "dlm", "ngram"] as const) {
    const session = await engine.openSession({ drafter });
    let text = "";
    for await (const round of session.generate("abcabc", { maxTokens: 16 })) text += `${[...round.tokens]},`;
    texts.push(text);
    await session.dispose();
  }
  await engine.dispose();
  expect(new Set(texts).size).toBe(1);
  const flag = await cli("pull", "published", "--registry", registry, "--out", join(dir, "y"), "--precision", "int8");
  expect(flag).toMatchObject({ code: 2, err: expect.stringContaining("--precision was given for published") });
});

test("what fails is one line that says what to do, and leaves nothing under the name", async () => {
  const at = ["--registry", registry, "--out", join(dir, "x")];
  expect(await cli("pull", "absent", ...at)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/ERR_MODEL_FILE_MISSING.*404.*Without a hub: ask its maker; or copy/s),
  });
  const nobody = await cli("pull", "absent", ...at, "--hub", "http://127.0.0.1:9");
  expect(nobody.err).toMatch(/cannot be reached.*Asked was http:\/\/127\.0\.0\.1:9/s);
  expect(existsSync(join(dir, "x"))).toBe(false);
  expect(await cli("pull", "nobody", ...at)).toMatchObject({
    code: 1,
    err: expect.stringContaining("ERR_MODEL_UNKNOWN"),
  });
  expect(await cli("pull", "own", ...at)).toMatchObject({ code: 2, err: expect.stringContaining("not pulled") });
  expect(await cli("pull", "tiny-js")).toMatchObject({ code: 2, err: expect.stringContaining("npm install") });
  expect(await cli("pull", "absent", "--registry", registry, "--out", dir)).toMatchObject({ code: 2 });
  expect(await cli("pull", "absent", "--hub", "nowhere")).toMatchObject({ code: 2 });
});

test("on a terminal there is progress, and at the end no trace of it", async () => {
  const out = join(dir, "seen");
  const { code, err } = await cliOn({ isTTY: true }, "pull", "small-qwen2", "--registry", registry, "--out", out);
  expect(code).toBe(0);
  expect(err).toContain("fetching org/qwen2 model-00001-of-00002.safetensors");
  expect(err).toContain("converting");
  expect(err.slice(err.lastIndexOf("\r\x1b[K") + 4)).toMatch(/checked by size\n$/);
});

test("pairs lists both registries", async () => {
  const { code, out } = await cli("pairs", "--registry", registry, "--json");
  expect(code).toBe(0);
  const { pairs } = JSON.parse(out) as { pairs: { name: string; registry: string; here: string | null }[] };
  expect(pairs.find(({ name }) => name === "absent")).toMatchObject({ registry, here: null });
  expect(pairs.find(({ name }) => name === "tiny-js")).toMatchObject({ here: "@diffuspec/model-tiny-js" });
  const people = await cli("pairs");
  expect(people.out).toMatch(/^ {2}measured +not measured: /m);
  expect(people.out).toMatch(/^ {2}here +no: diffuspec pull qwen\S+ \(about \d+\.\d GiB\)$/m);
});
