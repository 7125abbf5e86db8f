import { describe, expect, test } from "vitest";
import { LOAD_DEFAULTS, resolveEngineOptions, resolveLoadOptions } from "./options.ts";
import { fittedSearch } from "./search-option.ts";

describe("load options", () => {
  test("default to the one constant", () => {
    expect(resolveLoadOptions()).toEqual(LOAD_DEFAULTS);
    expect(resolveLoadOptions({ drafter: undefined as never, threads: 2 })).toEqual({ ...LOAD_DEFAULTS, threads: 2 });
    expect(resolveLoadOptions({ threads: "measure" }).threads).toBe("measure");
  });

  test.each([
    [{ modle: "x" }, "modle"],
    [{ model: "" }, "model"],
    [{ drafter: "dlm2" }, '"hybrid", "dlm", "dlm-argmax", "prompt-lookup", "recycling", "ngram", "none"'],
    [{ lengthController: "best" }, '"auto", "adl", "adl-paper", "cost-aware", "confidence", { fixed: k }'],
    [{ lengthController: { fixed: 1.5 } }, "lengthController.fixed"],
    [{ lengthController: { fixd: 1 } }, "fixd"],
    [{ lengthController: null }, "lengthController"],
    [{ precision: "q8" }, '"int8", "fp32"'],
    [{ threads: 0 }, "threads"],
    [{ threads: "fast" as never }, "threads"],
    [{ exactness: "loose" }, '"exact", "tolerant"'],
    [{ lattice: { tau: 0 } }, "lattice.tau"],
    [{ lattice: { tau: Number.NaN } }, "lattice.tau"],
    [{ lattice: { tua: 1 } }, "tua"],
    [{ lattice: { maxCandidates: 0 } }, "lattice.maxCandidates"],
    [{ lattice: { temperatures: 2 } }, "lattice.temperatures"],
    [{ lattice: { temperatures: [1, 0] } }, "lattice.temperatures"],
    [{ search: { tree: true } }, "search.tree"],
    [{ search: { tree: { nodes: 4 } } }, "nodes"],
    [{ search: { tree: { maxNodes: 0 } } }, "search.tree.maxNodes"],
    [{ search: { tree: { decay: 2 } } }, "search.tree.decay"],
    [{ search: "beam" }, '"tree"'],
    [{ search: { lambda: -1 } }, "search.lambda"],
    [{ search: { lambda: 1.1 } }, "search.lambda"],
    [{ search: { beam: 0 } }, "search.beam"],
    [{ search: { pooled: 1 } }, "search.pooled"],
    [{ search: { pooled: { positions: 0 } } }, "search.pooled.positions"],
    [{ search: { pooled: { cut: 1 } } }, "search.pooled.cut"],
    [{ search: { pooled: { lambda: 1 } } }, "lambda"],
    [{ steps: 0 }, "steps"],
    [{ onProgress: 1 }, "onProgress"],
    [{ maxQueue: -1 }, "maxQueue"],
    [[], "load"],
  ])("%o is refused by name", (options, named) => {
    expect(() => resolveLoadOptions(options as never)).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
    expect(() => resolveLoadOptions(options as never)).toThrow(named);
  });

  test("who names a constant of Eq. 8 gets its search, and who asks for the pool names none", () => {
    const own = { lambda: 0.4, cut: 0.01, pooled: { positions: 4 } };
    expect(fittedSearch(own, {})).toEqual(own);
    expect(fittedSearch(own, { online: false })).toEqual({ ...own, online: false });
    expect(fittedSearch(own, { beam: 2 })).toEqual({ ...own, beam: 2, pooled: false });
    expect(fittedSearch(own, { pooled: false })).toEqual({ ...own, pooled: false });
    expect(fittedSearch(own, { pooled: { cut: 0.3 } })).toEqual({ ...own, pooled: { positions: 4, cut: 0.3 } });
    expect(fittedSearch(own, { pooled: true })).toEqual(own);
    expect(fittedSearch({}, { pooled: { cut: 0.3 } })).toEqual({ pooled: { cut: 0.3 } });
    expect(fittedSearch({}, {})).toEqual({ pooled: false });
    expect(fittedSearch(own, "tree")).toBe("tree");
    expect(() => fittedSearch(own, { pooled: true, cut: 0.2 })).toThrow(/search\.cut.*search\.pooled/);
  });

  test("the engine has no queue", () => {
    expect(() => resolveEngineOptions({ maxQueue: 3 } as never)).toThrow("maxQueue");
  });
});
