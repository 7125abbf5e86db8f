import { trunkLength, type Verifier } from "@diffuspec/contracts";
import { createFakeVerifier, createScriptedDrafter, treeDrafter } from "@diffuspec/testkit";
import { expect, it } from "vitest";
import { trunkOf } from "./graft.ts";
import { complete } from "./index.ts";

const tree = (tokens: number[], parents: number[]) => ({
  tokens: Int32Array.from(tokens),
  parents: Int32Array.from(parents),
});

it("trunkOf keeps the leading trunk", () => {
  expect(trunkOf(tree([5, 6, 7, 8], [-1, 0, 1, 0]))).toEqual(tree([5, 6, 7], [-1, 0, 1]));
  expect(trunkOf(tree([5, 6, 7], [-1, 0, 0]))).toEqual(tree([5, 6], [-1, 0]));
  const chain = tree([5, 6], [-1, 0]);
  expect(trunkOf(chain)).toBe(chain);
});

it("a verifier without trees is given chains, and the text is the same", async () => {
  const inner = createFakeVerifier({ vocabularySize: 20, order: 1 });
  const shapes: boolean[] = [];
  const verifier: Verifier = {
    ...inner,
    trees: false,
    async open() {
      const session = await inner.open();
      return {
        ...session,
        get length() {
          return session.length;
        },
        verify(asked, needs) {
          shapes.push(trunkLength(asked) === asked.tokens.length);
          return session.verify(asked, needs);
        },
      };
    },
  };
  const grown = createScriptedDrafter("bush", ({ root, request }) => ({
    tree: request.length < 2 ? tree([root], [-1]) : tree([root, 1, 2, 3, 4], [-1, 0, 1, 0, 3]),
  }));
  const options = { maxTokens: 40 };
  const plain = await complete({ verifier: inner }, [1, 2, 3], options);
  for (const drafter of [treeDrafter(inner.model), grown]) {
    const drafted = await complete({ verifier, drafter }, [1, 2, 3], options);
    expect([...drafted.tokens]).toEqual([...plain.tokens]);
  }
  expect(shapes.length).toBeGreaterThan(10);
  expect(shapes.every(Boolean)).toBe(true);
});
