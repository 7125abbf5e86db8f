import { describe, expect, test } from "vitest";
import { createFakeForward, greedy, LATTICE, openFake, request, sampling, spySearch, text } from "../test/fakes.ts";

const ids = (tree: { tokens: Int32Array }) => [...tree.tokens];

describe("sampling", () => {
  const draft = async (sampler = greedy, coupling = 2, head: number[] = []) => {
    const { session } = openFake({ coupling });
    await session.begin({ ids: text(20), sampler });
    return ids((await session.propose(request({ head: Int32Array.from(head) }))).tree);
  };

  test("equal noise gives equal drafts, other noise others, no coupling the greedy one", async () => {
    expect(await draft(sampling(1, 4))).toEqual(await draft(sampling(1, 4)));
    expect(await draft(sampling(1, 4))).not.toEqual(await draft(sampling(1, 5)));
    expect(await draft(sampling(1, 4), 0)).toEqual(await draft());
  });

  test("candidates are kept until their mass under q, not under the noise, reaches tau", async () => {
    const spy = spySearch();
    const { session } = openFake({ search: spy.search, lattice: { ...LATTICE, eosIds: [] } });
    await session.begin({ ids: text(20), sampler: sampling(1, 4) });
    await session.propose(request());
    const block = new Int32Array(8).fill(1);
    const rows = Int32Array.from(block, (_, i) => i);
    const q = await createFakeForward().draft(text(20), new Int32Array(0), block, rows);
    const { offsets, tokens } = spy.seen[0]!;
    for (let i = 0; i < 6; i++) {
      const row = q.ids.subarray(i * 8, i * 8 + 8);
      const mass = (id: number) => Math.exp(q.logits[i * 8 + row.indexOf(id)]! - q.logSumExp[i]!);
      const kept = tokens.slice(offsets[i], offsets[i + 1]);
      const sum = kept.reduce((total, id) => total + mass(id), 0);
      expect(sum >= LATTICE.tau || kept.length === LATTICE.maxCandidates).toBe(true);
      expect(sum - mass(kept.at(-1)!)).toBeLessThan(LATTICE.tau);
    }
  });

  test("the noise is that of the absolute position, behind a head too", async () => {
    for (const head of [[], [8, 9, 10]]) {
      const asked = new Set<number>();
      const sampler = sampling(1);
      const noise = (at: number, token: number) => {
        asked.add(at);
        return sampler.noise(at, token);
      };
      await draft({ ...sampler, noise }, 2, head);
      expect(Math.min(...asked)).toBe(20 + head.length);
    }
  });

  test("a temperature of almost nothing drafts greedily", async () => {
    for (const temperature of [1e-6, 1e-300]) expect(await draft(sampling(temperature))).toEqual(await draft());
  });
});
