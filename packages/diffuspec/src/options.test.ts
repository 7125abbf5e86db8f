import { describe, expect, test } from "vitest";
import { fittedNgram } from "./ngram-option.ts";
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
    [{ lengthController: {} }, "either fixed or confidence"],
    [{ lengthController: { fixed: 1, confidence: {} } }, "either fixed or confidence"],
    [{ lengthController: { confidence: { kMin: 0 } } }, "kMin"],
    [{ lengthController: { confidence: null } }, "confidence"],
    [{ lengthController: { confidence: 8 } }, "confidence"],
    [{ lengthController: { confidence: { kmin: 2 } } }, "kmin"],
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
    [{ ngram: { cut: 1 } }, "ngram.cut"],
    [{ ngram: { recent: 4 } }, "ngram.recent"],
    [{ ngram: { recent: { longest: 17 } } }, "ngram.recent.longest"],
    [{ ngram: { recent: { discount: 2 } } }, "ngram.recent.discount"],
    [{ ngram: { recent: { discount: [] } } }, "ngram.recent.discount"],
    [{ ngram: { recent: { discount: [0.5, "1"] } } }, "ngram.recent.discount"],
    [{ ngram: { recent: { strength: 0 } } }, "ngram.recent.strength"],
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

  test("the n-gram's constants are the caller's above the model's own, one by one", () => {
    const own = { cut: 0.2, recent: { longest: 12, discount: [0.2, 0.8] } };
    expect(fittedNgram(own, { least: 1, recent: { strength: 2 } })).toEqual({
      ...own,
      least: 1,
      recent: { ...own.recent, strength: 2 },
    });
    expect(fittedNgram(own, { recent: { discount: 0.7 } }).recent).toEqual({ longest: 12, discount: 0.7 });
    expect(fittedNgram(own, { cut: undefined, recent: { longest: undefined } } as never)).toEqual(own);
  });

  test("the engine has no queue", () => {
    expect(() => resolveEngineOptions({ maxQueue: 3 } as never)).toThrow("maxQueue");
  });
});
