/**
 * A drafter of your own: it repeats what followed the last token the last time it came. Any object of this shape works;
 * the loop checks every draft, so a bad one costs time, never correctness.
 */
import { CONTRACT_VERSION, chain, type Drafter } from "@diffuspec/contracts";
import { complete } from "@diffuspec/spec-loop";
import { createFakeVerifier } from "@diffuspec/testkit";

export function createEchoDrafter(): Drafter {
  return {
    contractVersion: CONTRACT_VERSION,
    name: "echo",
    needs: {},
    open() {
      let ids: number[] = [];
      return {
        begin(start) {
          ids = Array.from(start.ids);
        },
        propose({ length }) {
          const root = ids[ids.length - 1]!;
          const earlier = ids.lastIndexOf(root, ids.length - 2);
          return { tree: chain(root, earlier === -1 ? [] : ids.slice(earlier + 1, earlier + 1 + length)) };
        },
        observe: ({ committed }) => void ids.push(...committed),
        dispose() {},
      };
    },
  };
}

export async function main() {
  const verifier = createFakeVerifier({ vocabularySize: 24, order: 1 });
  const options = { maxTokens: 60, sampler: { temperature: 0.3, seed: 1 } };
  const plain = await complete({ verifier }, [1, 2, 3], options);
  const drafted = await complete({ verifier, drafter: createEchoDrafter() }, [1, 2, 3], options);
  return {
    identical: plain.tokens.join() === drafted.tokens.join(),
    rounds: drafted.totals.rounds,
    meanAcceptedTokens: drafted.totals.meanAcceptedTokens,
  };
}

if (process.argv[1]?.endsWith("custom-drafter.ts")) console.log(await main());
