import type { Draft, Drafter, Verifier } from "@diffuspec/contracts";
import {
  createFakeVerifier,
  createScriptedDrafter,
  foreignIdDrafter,
  oracleDrafter,
  overfullDrafter,
  overlongDrafter,
  silentDrafter,
  throwingDrafter,
  treeDrafter,
} from "@diffuspec/testkit";
import { describe, expect, it } from "vitest";
import { MODEL, PROMPT, plain, withCode } from "../test/session-parts.ts";
import { collect, complete } from "./complete.ts";
import { fixedLength } from "./fixed-length.ts";
import { openSession } from "./session.ts";

/** Calls `at` when the n-th call into verifier or drafter begins or ends; gives the parts so wired. */
function wired(verifier: Verifier, drafter: Drafter, at: (step: number) => void) {
  let step = 0;
  const around = <A extends unknown[], R>(call: (...args: A) => R | Promise<R>) => {
    return async (...args: A): Promise<R> => {
      at(step++);
      const result = await call(...args);
      at(step++);
      return result;
    };
  };
  const wiredVerifier: Verifier = {
    ...verifier,
    async open() {
      const s = await verifier.open();
      return {
        get length() {
          return s.length;
        },
        prefill: around(s.prefill),
        verify: around(s.verify),
        commit: around(async (path: Int32Array) => s.commit(path)),
        dispose: s.dispose,
      };
    },
  };
  const wiredDrafter: Drafter = {
    ...drafter,
    open: around(async () => {
      const s = await drafter.open();
      return {
        begin: around(async (start) => s.begin(start)),
        propose: around(async (request) => s.propose(request)),
        observe: around(async (outcome) => s.observe(outcome)),
        dispose: () => s.dispose(),
      } satisfies Awaited<ReturnType<Drafter["open"]>>;
    }),
  };
  return { verifier: wiredVerifier, drafter: wiredDrafter };
}

describe("abort and faults at every await", () => {
  const kinds = ["abort", "fault"] as const;
  it.each(kinds)("%s at each step in turn: a typed error, then the session decodes on correctly", async (kind) => {
    const inner = createFakeVerifier(MODEL);
    const expected = await plain(inner, PROMPT, 12);
    let clean = false;
    let failures = 0;
    for (let n = 0; !clean; n++) {
      expect(n).toBeLessThan(200);
      const controller = new AbortController();
      let armed = true;
      const parts = wired(createFakeVerifier({ ...MODEL, exactTrunkOnly: 3 }), treeDrafter(inner.model, n), (step) => {
        if (!armed || step !== n) return;
        armed = false;
        if (kind === "abort") controller.abort(new Error("enough"));
        else throw new TypeError("the disk is on fire");
      });
      const session = await openSession({ ...parts, controller: fixedLength(4) });
      const first = collect(session.generate(PROMPT, { maxTokens: 12, signal: controller.signal }));
      const outcome = await first.then(
        (completion) => [...completion.tokens],
        (error: Error & { code?: string }) => error,
      );
      if (outcome instanceof Error) {
        failures++;
        if (kind === "abort") expect(outcome).toMatchObject({ code: "ERR_ABORTED", name: "AbortError" });
        else expect(outcome instanceof TypeError ? outcome : outcome.cause).toBeInstanceOf(TypeError);
      } else expect(outcome).toEqual(expected);
      clean = armed;
      armed = false;
      expect([...(await collect(session.generate(PROMPT, { maxTokens: 12 }))).tokens]).toEqual(expected);
      await session.dispose();
    }
    expect(failures).toBeGreaterThan(20);
  });

  it("aborts in mid-prefill, between chunks", async () => {
    const verifier = createFakeVerifier({ ...MODEL, chunk: 8 });
    const session = await openSession({ verifier });
    const controller = new AbortController();
    const seen: number[] = [];
    const onPrefill = (done: number) => {
      seen.push(done);
      if (done >= 16) controller.abort();
    };
    const generation = session.generate(PROMPT, { maxTokens: 4, signal: controller.signal, onPrefill });
    await expect(generation.next()).rejects.toThrow(withCode("ERR_ABORTED"));
    expect(seen).toEqual([8, 16]);
    const again = await collect(session.generate(PROMPT, { maxTokens: 4 }));
    expect([...again.tokens]).toEqual(await plain(verifier, PROMPT, 4));
    expect(again.totals.reused).toBe(16);
  });

  it("an aborted signal starts nothing; an abort between rounds ends at the next", async () => {
    const verifier = createFakeVerifier(MODEL);
    const session = await openSession({ verifier });
    await expect(session.generate(PROMPT, { signal: AbortSignal.abort() }).next()).rejects.toThrow(
      withCode("ERR_ABORTED"),
    );
    expect(session.length).toBe(0);
    const controller = new AbortController();
    const generation = session.generate(PROMPT, { signal: controller.signal });
    expect((await generation.next()).done).toBe(false);
    controller.abort();
    await expect(generation.next()).rejects.toThrow(withCode("ERR_ABORTED"));
    expect(verifier.passes).toBe(1);
  });
});

describe("hostile drafters", () => {
  const bad: [string, () => Drafter, string][] = [
    ["id -1", () => foreignIdDrafter(-1), "ERR_DRAFT_INVALID"],
    ["id past the vocabulary", () => foreignIdDrafter(20), "ERR_DRAFT_INVALID"],
    ["id 2^31", () => foreignIdDrafter(2 ** 31), "ERR_DRAFT_INVALID"],
    ["too deep", overlongDrafter, "ERR_DRAFT_INVALID"],
    ["too many nodes", overfullDrafter, "ERR_DRAFT_INVALID"],
    ["nothing", () => createScriptedDrafter("x", () => undefined as unknown as Draft), "ERR_DRAFT_INVALID"],
    ["no tree", () => createScriptedDrafter("x", () => ({}) as Draft), "ERR_DRAFT_INVALID"],
    [
      "a generatedLength of NaN",
      () => {
        const tree = ({ root }: { root: number }) => ({ tokens: Int32Array.of(root), parents: Int32Array.of(-1) });
        return createScriptedDrafter("x", (scene) => ({ tree: tree(scene), generatedLength: Number.NaN }));
      },
      "ERR_DRAFT_INVALID",
    ],
    ["throws at once", () => throwingDrafter(new Error("boom")), "ERR_CONTRACT"],
    ["throws in round 2", () => throwingDrafter(new Error("boom"), 2), "ERR_CONTRACT"],
    ["throws no error", () => throwingDrafter("boom"), "ERR_CONTRACT"],
    ["never answers", silentDrafter, "ERR_DRAFT_TIMEOUT"],
  ];
  it.each(bad)("%s: a typed error, and the session is usable with skipped drafts", async (_, make, code) => {
    const verifier = createFakeVerifier(MODEL);
    let length = 3;
    const controller = { name: "switch", begin() {}, next: () => length, observe() {} };
    const session = await openSession({ verifier, drafter: make(), controller, draftTimeoutMs: 15 });
    const error = await collect(session.generate(PROMPT, { maxTokens: 9 })).catch((thrown) => thrown);
    expect(error).toMatchObject({ code });
    if (code === "ERR_CONTRACT") expect(error.cause).toBeDefined();
    length = 0;
    expect([...(await collect(session.generate(PROMPT, { maxTokens: 9 }))).tokens]).toEqual(
      await plain(verifier, PROMPT, 9),
    );
    await session.dispose();
    expect(verifier.openSessions).toBe(0);
  });

  it("a typed error of the drafter passes through as it is", async () => {
    const typed = await complete({ verifier: createFakeVerifier(MODEL) }, []).catch((error) => error);
    const parts = { verifier: createFakeVerifier(MODEL), drafter: throwingDrafter(typed) };
    expect(await complete(parts, PROMPT).catch((error) => error)).toBe(typed);
  });

  it("a hanging drafter can be aborted; its signal fires, its session is disposed, a fresh one is opened", async () => {
    const verifier = createFakeVerifier(MODEL);
    const good = oracleDrafter(verifier.model);
    const log: string[] = [];
    let hang = true;
    const drafter: Drafter = {
      ...good,
      async open() {
        log.push("open");
        const session = await good.open();
        return {
          ...session,
          propose(request) {
            if (!hang) return session.propose(request);
            request.signal.addEventListener("abort", () => log.push("told"));
            return new Promise<Draft>(() => {});
          },
          dispose: () => void log.push("dispose"),
        };
      },
    };
    const session = await openSession({ verifier, drafter });
    const controller = new AbortController();
    const first = collect(session.generate(PROMPT, { maxTokens: 9, signal: controller.signal }));
    setTimeout(() => controller.abort(), 5);
    await expect(first).rejects.toThrow(withCode("ERR_ABORTED"));
    hang = false;
    expect([...(await collect(session.generate(PROMPT, { maxTokens: 9 }))).tokens]).toEqual(
      await plain(verifier, PROMPT, 9),
    );
    expect(log).toEqual(["open", "told", "dispose", "open"]);
    await session.dispose();
    expect(log.at(-1)).toBe("dispose");
  });
});
