import type { Lattice } from "@diffuspec/contracts";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codeOf } from "../test/code-of.ts";
import { copyLattice, createLatticeBuilder } from "./index.ts";

const ln = Math.log;
const rows = (...probabilities: number[][]) => Float32Array.from(probabilities.flat().map(ln));
const candidates = (lattice: Lattice) =>
  Array.from({ length: lattice.depth }, (_, i) => [
    ...lattice.tokens.subarray(lattice.offsets[i], lattice.offsets[i + 1]),
  ]);

describe("one builder for many rounds", () => {
  it("writes every round into the same memory, whatever the input, once it has seen the largest", () => {
    const builder = createLatticeBuilder({ tau: 1, maxCandidates: 3, eosIds: [0], temperatures: [1.5] });
    const full = (depth: number, shift: number) =>
      Float32Array.from({ length: depth * 5 }, (_, i) => (i * 7 + shift) % 5);
    const buffers = ({ offsets, tokens, logProbs }: Lattice) => [offsets.buffer, tokens.buffer, logProbs.buffer];
    const first = builder.fromLogits(full(6, 1), 6, 5);
    const warm = buffers(first);
    for (let round = 0; round < 50; round++) {
      const depth = 1 + (round % 6);
      const lattices = [
        () => builder.fromLogits(full(depth, round), depth, 5),
        () =>
          builder.fromLogProbs(
            full(depth, round).map((x) => x - 5),
            depth,
            5,
          ),
        () =>
          builder.fromTopM(
            {
              ids: Int32Array.from({ length: depth * 2 }, (_, i) => i % 5),
              logits: new Float32Array(depth * 2),
              logSumExp: new Float32Array(depth).fill(2),
            },
            depth,
            2,
          ),
      ];
      const lattice = lattices[round % 3]();
      expect(lattice).toBe(first);
      for (const [i, buffer] of buffers(lattice).entries()) expect(buffer).toBe(warm[i]);
    }
    // Only a deeper lattice than any before takes new memory, and keeps it again.
    const grown = buffers(builder.fromLogits(full(7, 0), 7, 5));
    expect(grown[0]).not.toBe(warm[0]);
    expect(buffers(builder.fromLogits(full(2, 0), 2, 5))).toEqual(grown);
    expect(buffers(builder.fromLogits(full(2, 0), 2, 5))[0]).toBe(grown[0]);
  });
  it("keeps no hold of its input, also where it fails", () => {
    const builder = createLatticeBuilder();
    expect(codeOf(() => builder.fromLogits(Float32Array.of(Number.NaN), 1, 1))).toBe("ERR_CONTRACT");
    expect(builder.fromLogits(Float32Array.of(2), 1, 1).depth).toBe(1);
  });
  it("reuses its buffers, and copyLattice takes a lattice out of them", () => {
    const builder = createLatticeBuilder({ tau: 1 });
    const first = builder.fromLogits(rows([0.1, 0.9], [0.9, 0.1]), 2, 2);
    const kept = copyLattice(first);
    const { tokens } = first;
    const second = builder.fromLogits(rows([0.8, 0.2]), 1, 2);
    expect(second.tokens).toBe(tokens);
    expect(candidates(second)).toEqual([[0, 1]]);
    expect(candidates(kept)).toEqual([
      [1, 0],
      [0, 1],
    ]);
    expect(kept.tokens.length).toBe(4);
  });
  it("a lattice of depth 0 is empty", () => {
    expect(createLatticeBuilder().fromLogits(new Float32Array(0), 0, 5)).toMatchObject({
      depth: 0,
      generatedLength: 0,
    });
  });
});

describe("against a plain sort and a plain softmax", () => {
  const matrix = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 9 })).chain(([depth, size]) =>
    fc.record({
      // Few distinct values, so that ties are common.
      rows: fc.array(fc.array(fc.integer({ min: -4, max: 4 }), { minLength: size, maxLength: size }), {
        minLength: depth,
        maxLength: depth,
      }),
      tau: fc.double({ min: 0.01, max: 1, noNaN: true }),
      maxCandidates: fc.integer({ min: 1, max: 10 }),
      eosIds: fc.constantFrom<number[]>([], [0], [1, 2]),
      keepEos: fc.boolean(),
      stopAt: fc.constantFrom("argmax" as const, "candidate" as const),
      temperatures: fc.array(fc.double({ min: 0.3, max: 3, noNaN: true }), { maxLength: 4 }),
    }),
  );

  it("the three inputs give the same lattice, with every option", () => {
    fc.assert(
      fc.property(matrix, ({ rows, ...options }) => {
        const [depth, size] = [rows.length, rows[0].length];
        const order = rows.map((row) => row.map((_, id) => id).sort((a, b) => row[b] - row[a] || a - b));
        const totals = rows.map((row) => Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)));
        const logProbs = rows.flatMap((row, i) => row.map((x) => x - totals[i]));
        const top = Math.min(size, options.maxCandidates);
        const table = {
          ids: Int32Array.from(order.flatMap((ids) => ids.slice(0, top))),
          logits: Float32Array.from(order.flatMap((ids, i) => ids.slice(0, top).map((id) => rows[i][id]))),
          logSumExp: Float32Array.from(totals),
        };
        const lattices = [
          createLatticeBuilder(options).fromLogits(Float32Array.from(rows.flat()), depth, size),
          createLatticeBuilder(options).fromLogProbs(Float32Array.from(logProbs), depth, size),
          createLatticeBuilder(options).fromTopM(table, depth, top),
        ];
        // A mass within rounding of tau may fall either way, and then an EOS may end the lattice elsewhere.
        const close = lattices.some((lattice, i) =>
          candidates(lattice).some((ids, p) => ids.length !== candidates(lattices[(i + 1) % 3])[p]?.length),
        );
        fc.pre(!close || options.tau < 1);
        if (close) {
          const nudged = { ...options, tau: Math.max(0.001, options.tau - 1e-4) };
          const again = createLatticeBuilder(nudged);
          const one = candidates(again.fromLogits(Float32Array.from(rows.flat()), depth, size));
          expect(one).toEqual(candidates(createLatticeBuilder(nudged).fromTopM(table, depth, top)));
          return;
        }
        const [first, ...others] = lattices;
        for (const other of others) {
          expect(candidates(other)).toEqual(candidates(first));
          expect(other.generatedLength).toBe(first.generatedLength);
          for (let c = 0; c < first.offsets[first.depth]; c++)
            expect(other.logProbs[c]).toBeCloseTo(first.logProbs[c], 4);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("full logits, their log-softmax and a table of everything give the same candidates", () => {
    fc.assert(
      fc.property(matrix, ({ rows, tau, maxCandidates }) => {
        // With no EOS, so that the expected candidates can be counted off.
        const [depth, size] = [rows.length, rows[0].length];
        const order = rows.map((row) => row.map((_, id) => id).sort((a, b) => row[b] - row[a] || a - b));
        const totals = rows.map((row) => Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)));
        const builder = createLatticeBuilder({ tau, maxCandidates });
        const lattices = [
          builder.fromLogits(Float32Array.from(rows.flat()), depth, size),
          createLatticeBuilder({ tau, maxCandidates }).fromLogProbs(
            Float32Array.from(rows.flatMap((row, i) => row.map((x) => x - totals[i]))),
            depth,
            size,
          ),
          createLatticeBuilder({ tau, maxCandidates }).fromTopM(
            {
              ids: Int32Array.from(order.flat()),
              logits: Float32Array.from(order.flatMap((ids, i) => ids.map((id) => rows[i][id]))),
              logSumExp: Float32Array.from(totals),
            },
            depth,
            size,
          ),
        ];
        for (let i = 0; i < depth; i++) {
          const expected: number[] = [];
          let mass = 0;
          let rounding = false;
          while (expected.length < Math.min(size, maxCandidates) && mass < tau) {
            const id = order[i][expected.length];
            expected.push(id);
            mass += Math.exp(rows[i][id] - totals[i]);
            // At a mass within rounding of tau either answer is right.
            rounding ||= Math.abs(mass - tau) < 1e-5;
          }
          if (rounding) continue;
          for (const lattice of lattices) {
            expect(candidates(lattice)[i]).toEqual(expected);
            expected.forEach((id, c) => {
              expect(lattice.logProbs[lattice.offsets[i] + c]).toBeCloseTo(rows[i][id] - totals[i], 5);
            });
          }
        }
      }),
      { numRuns: 2000 },
    );
  });
});
