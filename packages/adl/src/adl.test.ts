import { isDiffuSpecError, type RoundObservation } from "@diffuspec/contracts";
import { seededRandom } from "@diffuspec/testkit";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ADL_TINY_JS, type AdlOptions, createAdl, createFixedLength } from "./index.ts";

const round = (length: number, accepted: number, rest: Partial<RoundObservation> = {}): RoundObservation => ({
  length,
  drafted: length,
  generatedLength: length,
  accepted,
  rows: length + 1,
  draftMs: 1,
  verifyMs: 1,
  ...rest,
});

/** The lengths of as many rounds as there are answers; "all" accepts everything. */
function trace(
  options: AdlOptions,
  answers: readonly (number | "all")[],
  rest: Partial<RoundObservation> = {},
): number[] {
  const controller = createAdl(options);
  controller.begin();
  return answers.map((answer) => {
    const k = controller.next({ limit: 1000 });
    controller.observe(round(k, answer === "all" ? k : answer, rest));
    return k;
  });
}

describe("Eq. 9 to 11 by hand, with the paper's constants", () => {
  it("accepting 7 every round collapses to kMin at once", () => {
    // Lg: 15, 17.5, 18.75, ... and La: 3.5, 5.25, ... so the bonus never comes and the clip lifts Lg to 20.
    expect(trace({}, [7, 7, 7, 7, 7])).toEqual([30, 20, 20, 20, 20]);
  });
  it("everything every second round: 30, 25, then kMin", () => {
    // Lg 15 = La 15, so 25; then Lg 20, La 11, so 20; then Lg 20, La 15.5.
    expect(trace({}, ["all", 7, "all", 7, "all", 7])).toEqual([30, 25, 20, 20, 20, 20]);
  });
  it("everything every round dips once, for the averages start at 0", () => {
    // Lg = La: 15, 20, 25, 27.5; plus 10 and clipped: 25, 30, 30, 30.
    expect(trace({}, ["all", "all", "all", "all", "all"])).toEqual([30, 25, 30, 30, 30]);
  });
  it("an early EOS lowers L_gen, and then the same acceptance earns the bonus", () => {
    // L_gen 8 = accepted 8: Lg = La = 4, 6, 7: 14, 16 and 17 are clipped up to 20 by the paper's bounds,
    expect(trace({}, [8, 8, 8, 8], { generatedLength: 8 })).toEqual([30, 20, 20, 20]);
    // and show with wider ones.
    expect(trace({ kMin: 1 }, [8, 8, 8, 8], { generatedLength: 8 })).toEqual([30, 14, 16, 17]);
  });
  it("L_gen never exceeds the length that was drafted", () => {
    expect(trace({ kMin: 1, delta: 0 }, [0, 0], { generatedLength: 99 })).toEqual([30, 15]);
  });
});

describe("the collapse to kMin", () => {
  /** The same equations on paper: L_gen = k where no EOS comes; the trace of Lg, La and the next k, rho 1/2, delta 10. */
  it("a hand-computed trace: 7 of every draft accepted, without an EOS", () => {
    const table = [
      // k_t, Lg_t, La_t, Lg + delta [La >= Lg] before the clip
      { k: 30, lg: 15, la: 3.5, wanted: 15 },
      { k: 20, lg: 17.5, la: 5.25, wanted: 17.5 },
      { k: 20, lg: 18.75, la: 6.125, wanted: 18.75 },
      { k: 20, lg: 19.375, la: 6.5625, wanted: 19.375 },
    ];
    let [lg, la] = [0, 0];
    for (const row of table) {
      [lg, la] = [lg / 2 + row.k / 2, la / 2 + 7 / 2];
      expect([lg, la, lg + (la >= lg ? 10 : 0)]).toEqual([row.lg, row.la, row.wanted]);
    }
    expect(trace({}, [7, 7, 7, 7])).toEqual(table.map(({ k }) => k));
  });
  it("a drafter that is right in nine tokens of ten still gets kMin in nearly every round", () => {
    const random = seededRandom(1);
    const controller = createAdl();
    controller.begin();
    const lengths: number[] = [];
    for (let t = 0; t < 1000; t++) {
      const k = controller.next({ limit: 1000 });
      let accepted = 0;
      while (accepted < k && random() < 0.9) accepted++;
      controller.observe(round(k, accepted));
      lengths.push(k);
    }
    expect(lengths.filter((k) => k === 20).length).toBeGreaterThan(950);
  });
  it("comes from the zero start and from Lg following k: corrected averages stay at kMax instead", () => {
    // Lg / (1 - 2^-t) is 30 at once, La / (1 - 2^-t) is 7: no bonus, and clip(30) = 30 for ever.
    expect(trace({ averages: "corrected" }, [7, 7, 7, 7])).toEqual([30, 30, 30, 30]);
    // Whatever rho: 8 in every round is 8 on average.
    for (const rho of [0.25, 0.5, 1])
      expect(trace({ averages: "corrected", rho, kMin: 1 }, [8, 8, 8], { generatedLength: 8 })).toEqual([30, 18, 18]);
  });
});

describe("details", () => {
  it("floors k", () => {
    // Lg = 6.5 gives 6; with accepted 13 the bonus of 0.7 makes it 7.2, and 7.
    expect(trace({ kMin: 1, kMax: 16, delta: 0 }, [0, 0], { generatedLength: 13 })).toEqual([16, 6]);
    expect(trace({ kMin: 1, kMax: 16, delta: 0.7 }, [13, 13], { generatedLength: 13 })).toEqual([16, 7]);
  });
  it("the tiny-js preset moves between 8 and 10", () => {
    expect(trace(ADL_TINY_JS, [3, 3, 3])).toEqual([10, 8, 8]);
    // Lg = La: 5, 6.5, 7.25, 8.125; plus 2, floored and clipped.
    expect(trace(ADL_TINY_JS, ["all", "all", "all", "all", "all"])).toEqual([10, 8, 8, 9, 10]);
  });
  it("counts a round that the loop cut with its real length, and ignores one without a draft", () => {
    const controller = createAdl({ kMin: 1 });
    controller.observe(round(0, 0));
    expect(controller.next({ limit: 9 })).toBe(30);
    controller.observe(round(5, 5));
    expect(controller.next({ limit: 9 })).toBe(12);
  });
  it("begin starts over", () => {
    const controller = createAdl();
    controller.observe(round(30, 2));
    expect(controller.next({ limit: 99 })).toBe(20);
    controller.begin();
    expect(controller.next({ limit: 99 })).toBe(30);
  });
  it("equals the equations written out, for any rounds and options", () => {
    const rounds = fc.array(fc.record({ generated: fc.nat(40), accepted: fc.nat(40), cut: fc.nat(40) }), {
      maxLength: 30,
    });
    const options = fc.record({
      rho: fc.double({ min: 0.01, max: 1, noNaN: true }),
      delta: fc.double({ min: 0, max: 20, noNaN: true }),
      kMin: fc.integer({ min: 1, max: 20 }),
      extra: fc.nat(20),
    });
    fc.assert(
      fc.property(rounds, options, (rounds, { rho, delta, kMin, extra }) => {
        const kMax = kMin + extra;
        const controller = createAdl({ rho, delta, kMin, kMax });
        let [lg, la, k] = [0, 0, kMax];
        for (const { generated, accepted, cut } of rounds) {
          expect(controller.next({ limit: 99 })).toBe(k);
          const length = Math.max(1, Math.min(k, cut));
          controller.observe(round(length, accepted, { generatedLength: generated }));
          // In the very form of createAdl's update: another order of the same sum could floor differently.
          lg += rho * (Math.min(generated, length) - lg);
          la += rho * (accepted - la);
          k = Math.floor(Math.min(Math.max(lg + delta * (la >= lg ? 1 : 0), kMin), kMax));
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("a fixed length", () => {
  it("is always k", () => {
    const controller = createFixedLength(7);
    controller.observe(round(3, 0));
    expect([controller.next({ limit: 2 }), createFixedLength(0).next({ limit: 2 })]).toEqual([7, 0]);
  });
  it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("refuses %d", (k) => {
    expect(() => createFixedLength(k)).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
  });
});

describe("bad input", () => {
  it.each<[string, object]>([
    ["rho 0", { rho: 0 }],
    ["rho above 1", { rho: 1.01 }],
    ["other averages", { averages: "none" }],
    ["a negative delta", { delta: -1 }],
    ["delta NaN", { delta: Number.NaN }],
    ["kMin 0", { kMin: 0 }],
    ["kMax below kMin", { kMin: 9, kMax: 8 }],
    ["half a kMax", { kMax: 30.5 }],
    ["an unknown option", { k_min: 3 }],
  ])("refuses %s", (_, options) => {
    try {
      createAdl(options as AdlOptions);
      expect.unreachable();
    } catch (error) {
      expect(isDiffuSpecError(error) && error.code).toBe("ERR_OPTION");
    }
  });
  it.each<Partial<RoundObservation>>([{ accepted: Number.NaN }, { generatedLength: -1 }, { draftMs: Number.NaN }])(
    "refuses to observe %o and keeps its state",
    (part) => {
      const controller = createAdl();
      expect(() => controller.observe(round(30, 30, part))).toThrow(expect.objectContaining({ code: "ERR_CONTRACT" }));
      expect(controller.next({ limit: 99 })).toBe(30);
    },
  );
});
