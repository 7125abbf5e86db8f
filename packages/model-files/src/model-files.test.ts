import { mkdir, mkdtemp, readFile, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createManifest, openModel } from "./index.ts";

let root: string;
let dir: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "model-files-"));
  dir = join(root, "models", "org", "tiny");
  await mkdir(join(dir, "graphs"), { recursive: true });
  await writeFile(join(dir, "config.json"), '{"layers":6}');
  await writeFile(join(dir, "graphs", "target.onnx"), Buffer.alloc(5000, 7));
  await createManifest(dir, { name: "org/tiny", kind: "pair", eosIds: [0] });
});
afterEach(() => rm(root, { recursive: true, force: true }));

const rewrite = async (change: (manifest: Record<string, unknown>) => unknown) => {
  const manifest = JSON.parse(await readFile(join(dir, "manifest.json"), "utf8"));
  const changed = change(manifest);
  await writeFile(join(dir, "manifest.json"), typeof changed === "string" ? changed : JSON.stringify(manifest));
};

describe("openModel", () => {
  it("opens a path, a URL, and a name in the cache", async () => {
    for (const where of [dir, pathToFileURL(dir), "org/tiny"]) {
      const model = await openModel(where, { cacheDir: root });
      expect(model.manifest).toMatchObject({ format: 1, name: "org/tiny", kind: "pair", eosIds: [0] });
      expect(await model.readJson("config.json")).toEqual({ layers: 6 });
      expect((await model.read("graphs/target.onnx")).length).toBe(5000);
      expect(model.path("graphs/target.onnx")).toBe(join(model.dir, "graphs", "target.onnx"));
    }
  });

  it("follows links that stay inside", async () => {
    await symlink("config.json", join(dir, "alias.json"));
    await rewrite((m) => {
      const files = m.files as Record<string, unknown>;
      files["alias.json"] = files["config.json"];
    });
    expect(await (await openModel(dir)).readJson("alias.json")).toEqual({ layers: 6 });
  });

  it("refuses a file the manifest does not list", async () => {
    const model = await openModel(dir);
    for (const name of ["manifest.json", "../tiny/config.json", "toString", ""])
      expect(() => model.path(name)).toThrow(expect.objectContaining({ code: "ERR_MODEL_FILE_MISSING" }));
  });

  it("hashes again what it reads", async () => {
    const model = await openModel(dir);
    await writeFile(join(dir, "config.json"), '{"layers":9}');
    await expect(model.read("config.json")).rejects.toMatchObject({ code: "ERR_MODEL_FILE_ALTERED" });
  });

  it("says what is not JSON, and what is not text", async () => {
    await expect((await openModel(dir)).readJson("graphs/target.onnx")).rejects.toMatchObject({ code: "ERR_PARSE" });
    await writeFile(join(dir, "graphs", "target.onnx"), Buffer.alloc(5000, 255));
    await createManifest(dir, { name: "org/tiny" });
    await expect((await openModel(dir)).readText("graphs/target.onnx")).rejects.toMatchObject({ code: "ERR_PARSE" });
  });

  it("reads a chat template, which must be one of its files and unchanged", async () => {
    await writeFile(join(dir, "chat.jinja"), "{{ messages[0].content }}\n");
    await createManifest(dir, { name: "org/tiny", chatTemplate: "chat.jinja" });
    const model = await openModel(dir);
    expect(await model.readText(model.manifest.chatTemplate!)).toBe("{{ messages[0].content }}\n");
    await writeFile(join(dir, "chat.jinja"), "{{ messages[1].content }}\n");
    await expect(openModel(dir)).rejects.toMatchObject({ code: "ERR_MODEL_FILE_ALTERED" });
  });

  it('"once" trusts an unchanged file and sees a changed one of equal size', async () => {
    const once = () => openModel(dir, { cacheDir: root, verify: "once" });
    await once();
    await once();
    const marks = join(root, "verified");
    const [mark] = await import("node:fs/promises").then((fs) => fs.readdir(marks));
    expect(Object.keys(JSON.parse(await readFile(join(marks, mark!), "utf8")))).toEqual([
      "config.json",
      "graphs/target.onnx",
    ]);
    await writeFile(join(dir, "config.json"), '{"layers":7}');
    await utimes(join(dir, "config.json"), 1, 1);
    await expect(once()).rejects.toMatchObject({ code: "ERR_MODEL_FILE_ALTERED" });
    await writeFile(join(dir, "config.json"), '{"layers":6}');
    await writeFile(join(marks, mark!), "null");
    await once();
  });

  it.each<[string, string, string, () => Promise<unknown>]>([
    ["a missing file", "ERR_MODEL_FILE_MISSING", "config.json", () => rm(join(dir, "config.json"))],
    [
      "a missing directory",
      "ERR_MODEL_FILE_MISSING",
      "graphs/target.onnx",
      () => rm(join(dir, "graphs"), { recursive: true }),
    ],
    [
      "a truncated file",
      "ERR_MODEL_FILE_ALTERED",
      "5000 and is 4999",
      () => truncate(join(dir, "graphs/target.onnx"), 4999),
    ],
    [
      "one changed byte",
      "ERR_MODEL_FILE_ALTERED",
      "SHA-256",
      () => writeFile(join(dir, "config.json"), '{"layers":7}'),
    ],
    [
      "a file replaced by a directory",
      "ERR_MODEL_FILE_ALTERED",
      "a directory",
      async () => {
        await rm(join(dir, "config.json"));
        await mkdir(join(dir, "config.json"));
      },
    ],
    [
      "a link out of the directory",
      "ERR_MODEL_FILE_ALTERED",
      "inside",
      async () => {
        await writeFile(join(root, "outside"), '{"layers":6}');
        await rm(join(dir, "config.json"));
        await symlink(join(root, "outside"), join(dir, "config.json"));
      },
    ],
    [
      "a linked directory",
      "ERR_MODEL_FILE_ALTERED",
      "inside",
      async () => {
        await mkdir(join(root, "elsewhere"));
        await writeFile(join(root, "elsewhere", "target.onnx"), Buffer.alloc(5000, 7));
        await rm(join(dir, "graphs"), { recursive: true });
        await symlink(join(root, "elsewhere"), join(dir, "graphs"));
      },
    ],
    [
      "a link to itself",
      "ERR_MODEL_FILE_MISSING",
      "config.json",
      async () => {
        await rm(join(dir, "config.json"));
        await symlink("config.json", join(dir, "config.json"));
      },
    ],
    ["no manifest", "ERR_MODEL_FILE_MISSING", "manifest.json", () => rm(join(dir, "manifest.json"))],
    [
      "a huge manifest",
      "ERR_PARSE",
      "at most",
      () => writeFile(join(dir, "manifest.json"), Buffer.alloc(2 ** 20 + 1, 32)),
    ],
  ])("refuses %s", async (_, code, says, damage) => {
    await damage();
    await expect(openModel(dir)).rejects.toMatchObject({ code, message: expect.stringContaining(says) });
  });

  it.each<[string, (m: Record<string, unknown>) => unknown]>([
    ["text that is not JSON", () => '{"format":1'],
    ["a list", () => "[]"],
    ["another format", (m) => (m.format = 2)],
    ["no name", (m) => delete m.name],
    ["a bad name", (m) => (m.name = "../x")],
    ["no files", (m) => (m.files = {})],
    ["files as a list", (m) => (m.files = [])],
    ["a chat template that is no file", (m) => (m.chatTemplate = "toString")],
    ["a chat template that is no name", (m) => (m.chatTemplate = { file: "config.json" })],
    ["a negative size", (m) => (m.files = { a: { bytes: -1, sha256: "0".repeat(64) } })],
    ["a huge size", (m) => (m.files = { a: { bytes: 2 ** 60, sha256: "0".repeat(64) } })],
    ["a short hash", (m) => (m.files = { a: { bytes: 1, sha256: "00" } })],
    ["an upper-case hash", (m) => (m.files = { a: { bytes: 1, sha256: "A".repeat(64) } })],
    ["an unknown field", (m) => (m.files = { a: { bytes: 1, sha256: "0".repeat(64), url: "x" } })],
    [
      "paths that differ by case",
      (m) => (m.files = Object.fromEntries(["a", "A"].map((k) => [k, { bytes: 1, sha256: "0".repeat(64) }]))),
    ],
    ["itself", (m) => (m.files = { "Manifest.json": { bytes: 1, sha256: "0".repeat(64) } })],
    [
      "__proto__ as a file",
      () => `{"format":1,"name":"org/tiny","files":{"__proto__":{"bytes":1,"sha256":"${"0".repeat(64)}"}}}`,
    ],
    [
      "__proto__ deep inside",
      () =>
        `{"format":1,"name":"org/tiny","files":{"a":{"bytes":1,"sha256":"${"0".repeat(64)}"}},"x":[{"__proto__":1}]}`,
    ],
    ...[
      "../x",
      "a/../../x",
      "/etc/passwd",
      "C:/x",
      "C:x",
      "a\\b",
      "..\\x",
      "a//b",
      "./a",
      "a/.",
      "a\u0000b",
      "",
      "a/",
      "con",
      "aux.txt",
      "a.",
      "a:b",
      "x".repeat(256),
    ].map((path): [string, (m: Record<string, unknown>) => unknown] => [
      `the path ${JSON.stringify(path).slice(0, 30)}`,
      (m) => (m.files = { [path]: { bytes: 1, sha256: "0".repeat(64) } }),
    ]),
  ])("refuses a manifest with %s", async (_, change) => {
    await rewrite(change);
    await expect(openModel(dir)).rejects.toMatchObject({ code: "ERR_PARSE" });
  });

  it.each<[unknown, string]>([
    ["org/other", "ERR_MODEL_UNKNOWN"],
    ["./nowhere", "ERR_MODEL_UNKNOWN"],
    ["tiny", "ERR_OPTION"],
    ["org/../tiny", "ERR_OPTION"],
    ["", "ERR_OPTION"],
  ])("does not open %j", async (name, code) => {
    await expect(openModel(name as string, { cacheDir: root })).rejects.toMatchObject({ code });
  });

  it("refuses an unknown way to verify", async () => {
    await expect(openModel(dir, { verify: "never" as "once" })).rejects.toMatchObject({ code: "ERR_OPTION" });
  });
});

describe("createManifest", () => {
  it("is repeatable, and keeps its own file and parts out", async () => {
    const first = await readFile(join(dir, "manifest.json"), "utf8");
    await writeFile(join(dir, "x.part"), "half");
    const manifest = await createManifest(dir, { name: "org/tiny", kind: "pair", eosIds: [0] });
    expect(Object.keys(manifest.files)).toEqual(["config.json", "graphs/target.onnx"]);
    expect(await readFile(join(dir, "manifest.json"), "utf8")).toBe(first);
  });

  it("refuses links and bad names", async () => {
    await expect(createManifest(dir, { name: "tiny" })).rejects.toMatchObject({ code: "ERR_OPTION" });
    await symlink("config.json", join(dir, "link"));
    await expect(createManifest(dir, { name: "org/tiny" })).rejects.toMatchObject({ code: "ERR_OPTION" });
  });
});
