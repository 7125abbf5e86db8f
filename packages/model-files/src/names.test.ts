import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultCacheDir, modelDir, parseManifest } from "./index.ts";
import { isModelName, pathFault } from "./paths.ts";

describe("names and places", () => {
  it.each(["org/name", "A/b", "HuggingFaceTB/SmolLM2-135M", "o/n.v1_2-x"])("%s is a name", (name) => {
    expect(isModelName(name)).toBe(true);
    expect(modelDir(name, "/cache")).toBe(join("/cache", "models", ...name.split("/")));
  });

  it.each([
    "",
    "a",
    "a/b/c",
    "/a",
    "a/",
    "../a",
    "a/..",
    "a/b..c",
    ".a/b",
    "a/-b",
    "a b/c",
    "a/é",
    "con/x",
    "a/nul.x",
    "a/b.",
    `a/${"x".repeat(97)}`,
  ])("%j is no name", (name) => {
    expect(isModelName(name)).toBe(false);
    expect(() => modelDir(name, "/cache")).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
  });

  it("no accepted path or name leaves its directory", () => {
    const part = fc.oneof(fc.constantFrom("..", ".", "a", "b.c", "", "~", "%2e%2e", "C:", "\\", "\0"), fc.string());
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
        const path = parts.join("/");
        if (pathFault(path) === undefined) expect(join("/base/dir", path).startsWith("/base/dir/")).toBe(true);
        if (isModelName(path)) expect(modelDir(path, "/c").startsWith("/c/models/")).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it("finds the cache", () => {
    expect(defaultCacheDir({ DIFFUSPEC_CACHE: "/own" }, "linux", "/home/x")).toBe("/own");
    expect(() => defaultCacheDir({ DIFFUSPEC_CACHE: "own" }, "linux", "/home/x")).toThrow(
      expect.objectContaining({ code: "ERR_OPTION" }),
    );
    expect(defaultCacheDir({}, "linux", "/home/x")).toBe(join("/home/x", ".cache", "diffuspec"));
    expect(defaultCacheDir({ XDG_CACHE_HOME: "/xdg" }, "linux", "/home/x")).toBe(join("/xdg", "diffuspec"));
    expect(defaultCacheDir({ XDG_CACHE_HOME: "xdg" }, "linux", "/home/x")).toBe(join("/home/x", ".cache", "diffuspec"));
    expect(defaultCacheDir({}, "darwin", "/Users/x")).toBe(join("/Users/x", "Library", "Caches", "diffuspec"));
    expect(defaultCacheDir({ LOCALAPPDATA: "/L" }, "win32", "/U")).toBe(join("/L", "diffuspec", "Cache"));
  });

  it("parseManifest names its source", () => {
    expect(() => parseManifest("{}", "there.json")).toThrow(/there\.json/);
  });
});
