import fc from "fast-check";
import { expect, it } from "vitest";
import { topIds } from "./top.ts";

it("is the head of a stable sort, largest first", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(-Infinity, -1, 0, 0.5, 2, 3, Infinity), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 1, max: 35 }),
      (values, count) => {
        const expected = values
          .map((_, i) => i)
          .sort((a, b) => (values[a] === values[b] ? a - b : values[b]! > values[a]! ? 1 : -1))
          .slice(0, count);
        expect([...topIds(Float32Array.from(values), count)]).toEqual(expected);
      },
    ),
  );
});

it("leaves NaN out", () => {
  expect([...topIds(Float32Array.of(Number.NaN, 1, Number.NaN, 2), 3)]).toEqual([3, 1]);
});
