import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  builtInRegistry,
  findPair,
  hubOf,
  listPairs,
  locatePair,
  openRegistries,
  pairNotHere,
  pairPlaces,
  parseRegistry,
  resolveUrl,
} from "./index.ts";

let root: string;
const cache = process.env.DIFFUSPEC_CACHE;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "registry-"));
  process.env.DIFFUSPEC_CACHE = join(root, "cache");
});
afterEach(async () => {
  if (cache === undefined) delete process.env.DIFFUSPEC_CACHE;
  else process.env.DIFFUSPEC_CACHE = cache;
  await rm(root, { recursive: true, force: true });
});

const part = { model: "me/mine", licence: "MIT", parameters: 1000 };
const entry = {
  title: "mine",
  target: part,
  drafter: null,
  source: { kind: "directory", path: "here" },
  measured: null,
  notMeasured: "not measured",
};
const hub = {
  kind: "hub",
  target: { repository: "me/mine", format: "safetensors", files: [{ path: "a.safetensors" }], bytes: 5 },
};
const withEntry = (change: object) => ({ format: 1, pairs: { mine: { ...entry, ...change } } });

describe("the built-in registry", () => {
  it("is valid, and every pair says what was measured or why nothing was", () => {
    const { pairs } = builtInRegistry();
    expect(pairs.map(({ name }) => name)).toContain("tiny-js");
    expect(pairs.map(({ name }) => name)).toContain("smollm2-135m");
    for (const { measured, notMeasured, target } of pairs) {
      expect(measured === null ? notMeasured : measured[0]!.where).toMatch(/\w/);
      expect(target.licence).toMatch(/^(MIT|Apache-2\.0)$/);
    }
  });
});

describe("an own registry", () => {
  it("comes first, and the built-in one stays", async () => {
    const file = join(root, "pairs.json");
    await writeFile(file, JSON.stringify({ format: 1, pairs: { mine: entry, "tiny-js": entry } }));
    const registries = await openRegistries(file);
    expect(findPair("tiny-js", registries)).toMatchObject({ registry: { source: file }, entry: { title: "mine" } });
    expect(findPair("smollm2-135m", registries).registry.source).toBe("built-in");
    expect(listPairs(registries).filter(({ entry: { name } }) => name === "tiny-js")).toHaveLength(1);
    expect(pairPlaces(findPair("mine", registries))).toEqual([join(root, "here")]);
  });

  it("may be an object", async () => {
    expect(findPair("mine", await openRegistries(withEntry({ source: hub }))).entry).toMatchObject({ source: hub });
  });

  it.each<[string, unknown, RegExp]>([
    ["no JSON", "{", /JSON/],
    ["a list", "[]", /object/],
    ["another format", { format: 2, pairs: {} }, /format is 2/],
    ["no pairs", { format: 1, pairs: {} }, /0 pairs/],
    ["a field too many", { ...withEntry({}), more: 1 }, /"more"/],
    ["__proto__", '{"format":1,"pairs":{"a":{"__proto__":{}}}}', /__proto__/],
    ["a name with a slash", { format: 1, pairs: { "a/b": entry } }, /"a\/b"/],
    ["a device's name", { format: 1, pairs: { con: entry } }, /"con"/],
    ["no licence", withEntry({ target: { ...part, licence: undefined } }), /pairs\.mine\.target\.licence is missing/],
    ["half a parameter", withEntry({ target: { ...part, parameters: 0.5 } }), /parameters is 0\.5/],
    ["a misspelt field", withEntry({ tilte: "x" }), /unknown field "tilte"/],
    ["no reason", withEntry({ notMeasured: undefined }), /notMeasured gives no reason/],
    ["an empty measurement", withEntry({ measured: [{ what: "x" }], notMeasured: undefined }), /measured\[0\]\.value/],
    ["an unknown kind", withEntry({ source: { kind: "ftp" } }), /source\.kind/],
    ["a package: it would be run", withEntry({ source: { kind: "package", package: "x" } }), /source\.kind/],
    [
      "a file outside",
      withEntry({ source: { ...hub, target: { ...hub.target, files: [{ path: "../x" }] } } }),
      /files\[0\]\.path/,
    ],
    [
      "a bad hash",
      withEntry({ source: { ...hub, target: { ...hub.target, files: [{ path: "x", sha256: "00" }] } } }),
      /sha256/,
    ],
    [
      "GGUF without its file",
      withEntry({ source: { ...hub, target: { ...hub.target, format: "gguf", main: "b.gguf" } } }),
      /main/,
    ],
    [
      "options of an import that does not happen",
      withEntry({
        source: {
          ...hub,
          target: { ...hub.target, format: "onnx", main: "a.safetensors" },
          import: { contextLength: 9 },
        },
      }),
      /not for an onnx target/,
    ],
    [
      "a drafter of no known kind",
      withEntry({ source: { ...hub, drafter: { ...hub.target, format: "onnx", main: "a.safetensors", canvas: {} } } }),
      /neither preset nor canvas\.maskId/,
    ],
    [
      "a file twice",
      withEntry({ source: { ...hub, target: { ...hub.target, files: [{ path: "x" }, { path: "X" }] } } }),
      /twice/,
    ],
  ])("with %s is ERR_PARSE", (_, content, said) => {
    const parsing = () => parseRegistry(content as object, "there.json");
    expect(parsing).toThrow(expect.objectContaining({ code: "ERR_PARSE" }));
    expect(parsing).toThrow(said);
    expect(parsing).toThrow(/there\.json/);
  });

  it("that is not there says so", async () => {
    await expect(openRegistries(join(root, "no.json"))).rejects.toMatchObject({ code: "ERR_MODEL_FILE_MISSING" });
    await expect(openRegistries(root)).rejects.toMatchObject({ code: "ERR_MODEL_FILE_MISSING" });
  });
});

it("a published target needs no import, and its drafter no preset", () => {
  const onnx = { ...hub.target, format: "onnx", main: "a.safetensors" };
  const drafter = { ...onnx, canvas: { maskId: 3, shift: 1, eosIds: [0] } };
  const { pairs } = parseRegistry(withEntry({ source: { ...hub, target: onnx, drafter } }), "there.json");
  expect(pairs[0]).toMatchObject({ source: { target: onnx, drafter } });
});

describe("a pair", () => {
  it("that is unknown is told with the known ones", async () => {
    const registries = await openRegistries();
    expect(() => findPair("gpt-2", registries)).toThrow(
      expect.objectContaining({
        code: "ERR_MODEL_UNKNOWN",
        message: expect.stringMatching(/tiny-js, smollm2-135m/),
        details: expect.objectContaining({ known: expect.arrayContaining(["tiny-js"]) }),
      }),
    );
  });

  it("lies below the working directory, else in the cache", async () => {
    const pair = findPair("smollm2-135m", await openRegistries());
    const places = [join(root, "models", "smollm2-135m"), join(root, "cache", "models", "pairs", "smollm2-135m")];
    expect(pairPlaces(pair, root)).toEqual(places);
    expect(await locatePair(pair, root)).toBeUndefined();
    for (const place of places.reverse()) {
      await mkdir(place, { recursive: true });
      await writeFile(join(place, "config.json"), "{}"); // half a pull is no model
      expect(await locatePair(pair, root)).not.toBe(place);
      await writeFile(join(place, "manifest.json"), "{}");
      expect(await locatePair(pair, root)).toBe(place);
    }
  });

  it("that is not here names every way to it", async () => {
    expect(pairNotHere(findPair("smollm2-135m", await openRegistries()))).toMatchObject({
      code: "ERR_MODEL_FILE_MISSING",
      message: expect.stringMatching(/diffuspec pull smollm2-135m; or npm run smollm2/),
    });
  });
});

describe("a hub", () => {
  it("is the option, HF_ENDPOINT, or the default one", () => {
    expect(hubOf(undefined, {}).url).toBe("https://huggingface.co");
    expect(hubOf(undefined, { HF_ENDPOINT: "https://mirror.example/hf/", HF_TOKEN: "t" })).toEqual({
      url: "https://mirror.example/hf",
      token: "t",
    });
    expect(hubOf("http://localhost:1", { HF_ENDPOINT: "https://x.example" }).url).toBe("http://localhost:1");
  });

  it.each(["", "ftp://x", "mirror", "https://user@x.example", "https://x.example?a"])("refuses %j", (url) => {
    expect(() => hubOf(url || "nothing", {})).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
    if (url) expect(() => hubOf(undefined, { HF_ENDPOINT: url })).toThrow(/HF_ENDPOINT/);
  });

  it("has its files under resolve/REVISION", () => {
    const source = { repository: "org/name", format: "onnx", files: [], bytes: 1 } as const;
    const at = (revision?: string) =>
      resolveUrl(hubOf(undefined, {}), { ...source, ...(revision && { revision }) }, "onnx/a b.onnx").href;
    expect(at()).toBe("https://huggingface.co/org/name/resolve/main/onnx/a%20b.onnx");
    expect(at("v1")).toBe("https://huggingface.co/org/name/resolve/v1/onnx/a%20b.onnx");
  });
});
