import type { Outcome } from "@diffuspec/contracts";
import { expect, test } from "vitest";
import { committed, greedy, openFake, request, text } from "../test/fakes.ts";
import { createTapStore } from "./taps.ts";

/** An outcome whose rows show [10 * row, 10 * row + 1] at "output" and the negatives at layer 4. */
const outcome = (path: number[], ...ids: number[]) =>
  ({
    ...committed(...ids),
    path: Int32Array.from(path),
    rows: {
      tap: (row: number, tap: unknown) => Float32Array.of(10 * row, 10 * row + 1).map((x) => (tap === 4 ? -x : x)),
    },
  }) as unknown as Outcome;

test("a row stands with the id it chose; ids never seen have zeros", () => {
  const store = createTapStore([4, "output"], 2);
  store.observe(5, outcome([0, 2, 3], 7, 8, 9));
  expect([...store.take(4, 3)]).toEqual([0, 0, 0, 0, -0, -1, 0, 1, -20, -21, 20, 21]);
  expect([...store.take(6, 2)]).toEqual([0, 0, 0, 0, -30, -31, 30, 31]);
  store.observe(8, outcome([0], 3));
  store.clear();
  expect(store.take(8, 1).some((x) => x !== 0)).toBe(false);
});

test("a draft that was cut short shows the rows of what was committed", () => {
  const store = createTapStore(["output"], 2);
  store.observe(0, outcome([0, 1, 2], 7));
  expect([...store.take(0, 2)]).toEqual([0, 1, 0, 0]);
});

test("a session hands each fresh id its row once, and forgets them with a new text", async () => {
  const taken: [number, number][] = [];
  const store = createTapStore(["output"], 2);
  const spied = {
    ...store,
    take(first: number, count: number) {
      taken.push([first, count]);
      return store.take(first, count);
    },
  };
  const { session } = openFake({ taps: spied });
  await session.begin({ ids: text(20), sampler: greedy });
  await session.propose(request());
  await session.observe(outcome([0, 1], 5, 6));
  await session.propose(request());
  expect(taken).toEqual([
    [0, 20],
    [20, 2],
  ]);
  await session.observe({ ...outcome([0], 5), idle: true });
  expect(store.take(22, 1).every((x) => x === 0)).toBe(true);
  await session.observe(outcome([0], 5));
  await session.begin({ ids: text(23), sampler: greedy });
  expect(store.take(23, 1).every((x) => x === 0)).toBe(true);
});
