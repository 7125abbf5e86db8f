import { CONTRACT_VERSION, chain, type Drafter, type DraftStart } from "@diffuspec/contracts";
import { drafterConformance } from "@diffuspec/testkit";
import { describe, expect, it } from "vitest";
import { greedy, outcome, request } from "../../test/fakes.ts";
import { createPromptLookup } from "../index.ts";
import { createCascade } from "./index.ts";

/** Always drafts one id, expects what it is told to, and notes its calls. */
function fake(id: number, expected: { accepted?: number }, fields: Partial<Drafter> = {}) {
  const calls: string[] = [];
  const note = (call: string) => void calls.push(call);
  const drafter: Drafter = {
    contractVersion: CONTRACT_VERSION,
    name: `fake${id}`,
    needs: {},
    open: () => ({
      begin: () => note("begin"),
      propose() {
        note("propose");
        const { accepted } = expected;
        return { tree: chain(1, [id]), ...(accepted !== undefined && { expectedAccepted: accepted }) };
      },
      observe: () => note("observe"),
      dispose: () => note("dispose"),
    }),
    ...fields,
  };
  return { drafter, calls };
}

const drafted = async (session: Awaited<ReturnType<Drafter["open"]>>) =>
  (await session.propose(request())).tree.tokens[1];

describe("cascade", () => {
  it("takes the first where it expects enough, and lets both see everything", async () => {
    const expected: { accepted?: number } = {};
    const [a, b] = [fake(7, expected), fake(8, {})];
    const session = await createCascade({ first: a.drafter, otherwise: b.drafter, least: 2 }).open();
    await session.begin({ ids: Int32Array.of(1), sampler: greedy });
    expect(await drafted(session)).toBe(8);
    expected.accepted = 1.9;
    expect(await drafted(session)).toBe(8);
    expected.accepted = 2;
    expect(await drafted(session)).toBe(7);
    await session.observe(outcome(chain(1, []), [[5]], [5]));
    await session.dispose();
    expect(a.calls).toEqual(["begin", "propose", "propose", "propose", "observe", "dispose"]);
    expect(b.calls).toEqual(["begin", "propose", "propose", "observe", "dispose"]);
  });

  it("leaves a generation to the first where it is told so, and the next one to both", async () => {
    const [a, b] = [fake(7, { accepted: 0 }), fake(8, {})];
    const alone = ({ sampler }: DraftStart) => sampler.temperature > 0;
    const session = await createCascade({ first: a.drafter, otherwise: b.drafter, least: 2, alone }).open();
    for (const [temperature, id] of [
      [0.7, 7],
      [0, 8],
      [1, 7],
    ] as const) {
      // biome-ignore format: one line
      await session.begin({ ids: Int32Array.of(1), sampler: { ...greedy, temperature } });
      expect(await drafted(session)).toBe(id);
      await session.observe(outcome(chain(1, []), [[5]], [5]));
    }
    await session.dispose();
    expect(a.calls.filter((call) => call === "observe")).toHaveLength(3);
    expect(b.calls).toEqual(["begin", "propose", "observe", "dispose"]);
  });

  it("needs what either needs", () => {
    const first = fake(1, {}, { needs: { topK: 3, taps: [1, "output"] } }).drafter;
    const otherwise = fake(2, {}, { needs: { topK: 5, taps: ["output", 4] } }).drafter;
    expect(createCascade({ first, otherwise, least: 1 })).toMatchObject({
      name: "fake1>fake2",
      needs: { topK: 5, taps: [1, "output", 4] },
    });
    expect(createCascade({ first: fake(1, {}).drafter, otherwise: fake(2, {}).drafter, least: 1 }).needs).toEqual({});
  });

  it("wants nothing in idle rounds where neither does", () => {
    const [none, idle, always] = [{}, { taps: [1], whenIdle: false }, { topK: 2 }].map(
      (needs, id) => fake(id, {}, { needs }).drafter,
    );
    const whenIdle = (first: Drafter, otherwise: Drafter) =>
      createCascade({ first, otherwise, least: 1 }).needs.whenIdle;
    expect(whenIdle(none!, idle!)).toBe(false);
    expect(whenIdle(idle!, idle!)).toBe(false);
    expect(whenIdle(idle!, always!)).toBeUndefined();
    expect(whenIdle(none!, none!)).toBeUndefined();
  });

  it("leaves nothing open where the second does not open", async () => {
    const { drafter, calls } = fake(1, {});
    const open = () => {
      throw new Error("no");
    };
    await expect(
      createCascade({ first: drafter, otherwise: fake(2, {}, { open }).drafter, least: 1 }).open(),
    ).rejects.toThrow("no");
    expect(calls).toEqual(["dispose"]);
  });

  it.each([
    { least: -1 },
    { least: Number.NaN },
    { first: undefined },
    { otherwise: {} },
    { leest: 1 },
    { alone: true },
  ])("refuses %j", (wrong) => {
    const options = { first: fake(1, {}).drafter, otherwise: fake(2, {}).drafter, least: 1, ...wrong };
    expect(() => createCascade(options as never)).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
  });

  for (const { name, run } of drafterConformance(() =>
    createCascade({ first: fakeConfident(), otherwise: createPromptLookup(), least: 1 }),
  ))
    it(`conformance: ${name}`, run);
});

/** Prompt lookup that is confident of drafts of two tokens and more. */
function fakeConfident(): Drafter {
  const lookup = createPromptLookup();
  return {
    ...lookup,
    async open() {
      const session = await lookup.open();
      return {
        begin: (start) => session.begin(start),
        async propose(asked) {
          const draft = await session.propose(asked);
          return { ...draft, expectedAccepted: draft.tree.tokens.length > 2 ? 2 : 0 };
        },
        observe: (seen) => session.observe(seen),
        dispose: () => session.dispose(),
      };
    },
  };
}
