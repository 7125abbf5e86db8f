import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createDry } from "./dry.ts";
import { createSampler } from "./sampler.ts";

/** The penalty by its definition: every earlier place, compared id by id. */
function definition(ids: readonly number[], multiplier: number, base: number, allowed: number): Map<number, number> {
  const out = new Map<number, number>();
  for (let end = 1; end < ids.length; end++) {
    let run = 0;
    while (run < end && ids[end - 1 - run] === ids[ids.length - 1 - run]) run++;
    if (run < allowed) continue;
    const penalty = multiplier * base ** (run - allowed);
    out.set(ids[end]!, Math.max(penalty, out.get(ids[end]!) ?? 0));
  }
  return out;
}

describe("createDry", () => {
  it("by hand: 7 followed (1 2) and (1 2 3) was followed by 4", () => {
    const dry = createDry(0.8, 2, 2);
    expect([...dry(Int32Array.of(1, 2, 7, 9, 1, 2))]).toEqual([[7, 0.8]]);
    expect([...dry(Int32Array.of(1, 2, 3, 4, 1, 2, 3))]).toEqual([[4, 1.6]]);
    expect([...dry(Int32Array.of(1, 2, 3))]).toEqual([]);
    expect([...dry(new Int32Array(0))]).toEqual([]);
  });

  it("equals the definition, on texts with many runs and calls in any order", () => {
    const ids = fc.array(fc.nat(2), { maxLength: 40 });
    fc.assert(
      fc.property(fc.array(ids, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 6 }), (texts, allowed) => {
        const dry = createDry(0.5, 1.25, allowed);
        for (const text of texts) {
          const found = [...dry(Int32Array.from(text))].sort((a, b) => a[0] - b[0]);
          expect(found).toEqual([...definition(text, 0.5, 1.25, allowed)].sort((a, b) => a[0] - b[0]));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("stays finite where a run is thousands of ids long", () => {
    const [penalty] = createDry(1, 2, 1)(new Int32Array(5000).fill(3)).values();
    expect(penalty).toBe(1e30);
  });
});

describe("the sampler with DRY", () => {
  const options = { dryMultiplier: 1, dryBase: 2, dryAllowedLength: 2 };

  it("breaks a loop, and only where the row is close enough", () => {
    const ids = Int32Array.of(1, 2, 3, 1, 2);
    const sampler = createSampler(options, 5);
    expect(sampler.argmaxOnly).toBe(false);
    expect(sampler.token(Float32Array.of(0, 0, 0, 2, 1.5), 5, ids)).toBe(4);
    expect(sampler.token(Float32Array.of(0, 0, 0, 3, 1.5), 5, ids)).toBe(3);
    expect(createSampler({ ...options, dryAllowedLength: 3 }, 5).token(Float32Array.of(0, 0, 0, 2, 1.5), 5, ids)).toBe(
      3,
    );
    expect(createSampler({ ...options, dryMultiplier: 0 }, 5).argmaxOnly).toBe(true);
  });

  it("is taken off the logits when it samples too", () => {
    const ids = Int32Array.of(1, 2, 3, 1, 2);
    const plain = createSampler({ temperature: 1, seed: 4 }, 5);
    const dry = createSampler({ ...options, temperature: 1, seed: 4 }, 5);
    for (let position = 0; position < 200; position++)
      expect(dry.token(Float32Array.of(0, 1, 0, 2, 1), position, ids)).toBe(
        plain.token(Float32Array.of(0, 1, 0, 1, 1), position, ids),
      );
  });
});
