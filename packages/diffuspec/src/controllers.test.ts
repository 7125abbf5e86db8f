import { COST_AWARE_DEFAULTS } from "@diffuspec/adl";
import type { LengthController } from "@diffuspec/contracts";
import type { Generation, SamplerOptions } from "@diffuspec/spec-loop";
import { describe, expect, test } from "vitest";
import { createControllers, type SessionController } from "./controllers.ts";
import type { LengthControllerOption } from "./length-option.ts";

/** A generation of rounds that accept nothing; the lengths that were asked for. */
async function lengths(seat: SessionController, sampler: Partial<SamplerOptions>, rounds: number): Promise<number[]> {
  const asked: number[] = [];
  async function* play({ controller }: { controller: LengthController }) {
    controller.begin();
    for (let i = 0; i < rounds; i++) {
      const length = controller.next({ limit: 100 });
      asked.push(length);
      const draftMs = length > 0 ? 2 : 0;
      controller.observe({
        length,
        drafted: length,
        generatedLength: length,
        accepted: 0,
        rows: 1,
        draftMs,
        verifyMs: 5,
      });
      yield undefined as never;
    }
    return undefined as never;
  }
  for await (const _ of seat.during(play(seat) as Generation, sampler));
  return asked;
}

const drafts = (asked: readonly number[]) => asked.filter((length) => length > 0).length;

describe("which controller a generation gets", () => {
  test.each<[LengthControllerOption, number, string]>([
    ["auto", 0, "adl"],
    ["auto", 0.7, "cost-aware"],
    ["adl", 0.7, "adl"],
    ["adl-paper", 0.7, "adl"],
    ["cost-aware", 0, "cost-aware"],
    ["confidence", 0.7, "confidence"],
    [{ fixed: 3 }, 0.7, "fixed"],
  ])("%o at temperature %d: %s", async (option, temperature, name) => {
    const seat = createControllers().open("dlm", option);
    await lengths(seat, { temperature }, 1);
    expect(seat.controller.name).toBe(name);
  });

  test.each(["hybrid", "ngram"] as const)(
    "%s ends its drafts itself and gets adl at every temperature",
    async (drafter) => {
      const seat = createControllers().open(drafter, "auto");
      await lengths(seat, { temperature: 0.7 }, 1);
      expect(seat.controller.name).toBe("adl");
    },
  );

  test("what suits the model is for drafters that end their drafts, where they are greedy or cost nothing", async () => {
    const controllers = createControllers({ fixed: 5 });
    for (const [drafter, temperature, name] of [
      ["hybrid", 0, "fixed"],
      ["ngram", 0.7, "fixed"],
      ["dlm", 0, "fixed"],
      ["dlm", 0.7, "cost-aware"],
      ["dlm-argmax", 0, "adl"],
      ["prompt-lookup", 0, "adl"],
    ] as const) {
      const seat = controllers.open(drafter, "auto");
      await lengths(seat, { temperature }, 1);
      expect([drafter, temperature, seat.controller.name]).toEqual([drafter, temperature, name]);
    }
    expect(controllers.open("hybrid", "adl").controller.name).toBe("adl");
    const aware = createControllers("cost-aware").open("hybrid", "auto");
    await lengths(aware, {}, 1);
    expect(aware.controller.name).toBe("cost-aware");
    expect(await lengths(controllers.open("hybrid", { confidence: { kMax: 7 } }), {}, 1)).toEqual([7]);
  });

  test("is decided by the generation, not by the session", async () => {
    const seat = createControllers().open("dlm", "auto");
    const names: string[] = [];
    for (const sampler of [{}, { temperature: 1 }, {}]) {
      await lengths(seat, sampler, 3);
      names.push(seat.controller.name);
    }
    expect(names).toEqual(["adl", "cost-aware", "adl"]);
  });

  test("and only when it begins: one that is refused changes nothing for the one that runs", async () => {
    const seat = createControllers().open("dlm", "auto");
    const running = seat.during(rounds(), {});
    async function* rounds(): Generation {
      seat.controller.begin();
      yield undefined as never;
      return undefined as never;
    }
    async function* refused(): Generation {
      yield await Promise.reject(new Error("busy"));
      return undefined as never;
    }
    await running.next();
    await expect(seat.during(refused(), { temperature: 1 }).next()).rejects.toThrow("busy");
    expect(seat.controller.name).toBe("adl");
  });
});

describe("what was learnt", () => {
  const sampler = { temperature: 0.7 };

  test("outlives a generation and its session where samplers are alike", async () => {
    const controllers = createControllers();
    const first = drafts(await lengths(controllers.open("dlm", "auto"), sampler, 60));
    expect(first).toBeGreaterThan(2);
    const alike = await lengths(controllers.open("dlm", "auto"), { ...sampler, seed: 4, temperature: 0.72 }, 60);
    expect(drafts(alike)).toBeLessThan(3);
    for (const [drafter, other] of [
      ["dlm", { temperature: 0.3 }],
      ["dlm", { ...sampler, topK: 5 }],
      ["dlm-argmax", sampler],
    ] as const) {
      const asked = await lengths(controllers.open(drafter, "auto"), other, 2);
      expect(asked).toEqual([COST_AWARE_DEFAULTS.start, COST_AWARE_DEFAULTS.start]);
    }
  });

  test("is forgotten where there are too many kinds", async () => {
    const controllers = createControllers();
    const seat = controllers.open("dlm", "auto");
    await lengths(seat, sampler, 60);
    for (let topK = 1; topK <= 40; topK++) await lengths(seat, { ...sampler, topK }, 1);
    expect(await lengths(seat, sampler, 1)).toEqual([COST_AWARE_DEFAULTS.start]);
  });
});
