import {
  argmax,
  CONTRACT_VERSION,
  childWithToken,
  type Drafter,
  type DrafterSession,
  depths,
  type Sampler,
  trunkFirst,
  validateTree,
} from "@diffuspec/contracts";
import { check } from "./errors.ts";
import { createFakeVerifier } from "./fake-verifier.ts";
import type { NamedCheck } from "./named-check.ts";

export interface DrafterConformanceOptions {
  /** Of the fake target; must suit the drafter. */
  readonly vocabularySize?: number;
  readonly tapWidth?: number;
  /** Rounds of each driven generation. */
  readonly rounds?: number;
}

const GREEDY: Sampler = { argmaxOnly: true, temperature: 0, token: (logits) => argmax(logits), noise: () => 0 };

/**
 * What every drafter owes the loop, driven against a fake target. `make` gives a fresh drafter.
 * As in the loop, `nodes` is never below `length`: a chain as deep as asked always fits.
 */
export function drafterConformance(
  make: () => Drafter | Promise<Drafter>,
  options: DrafterConformanceOptions = {},
): NamedCheck[] {
  const { vocabularySize = 32, tapWidth = 8, rounds = 12 } = options;
  const prompt = Int32Array.from({ length: 9 }, (_, i) => (i * 5) % Math.min(vocabularySize, 11));

  /** Drives rounds of a generation as the loop does; every draft is checked. Gives the trees as text. */
  async function drive(drafter: Drafter, sessions: DrafterSession[], limits: (round: number) => [number, number]) {
    const target = createFakeVerifier({ vocabularySize, tapWidth, order: 2, maxNodes: 128 });
    const runs = await Promise.all(sessions.map(() => target.open()));
    const ids = sessions.map(() => Array.from(prompt));
    const log: string[][] = sessions.map(() => []);
    const heads = sessions.map(() => new Int32Array(0));
    for (const [i, session] of sessions.entries()) {
      await runs[i]!.prefill(prompt);
      await session.begin({ ids: prompt.slice(), sampler: GREEDY });
    }
    for (let round = 0; round < rounds; round++)
      for (const [i, session] of sessions.entries()) {
        const [length, nodes] = limits(round);
        const root = ids[i]!.at(-1)!;
        let tree = { tokens: Int32Array.of(root), parents: Int32Array.of(-1) };
        if (length > 0) {
          const signal = new AbortController().signal;
          const draft = await session.propose({ length, nodes, head: heads[i]!.slice(0, length), signal });
          validateTree(draft.tree, { root, vocabularySize, maxNodes: nodes + 1 }, drafter.name);
          const deepest = Math.max(...depths(draft.tree));
          check(deepest <= length, `the draft is ${deepest} deep and ${length} was asked for`);
          log[i]!.push(`${draft.tree.tokens.join()}|${draft.tree.parents.join()}`);
          tree = trunkFirst(draft.tree) as typeof tree;
        }
        const rows = await runs[i]!.verify(tree, { ...drafter.needs, logits: false });
        const path = [0];
        let next = rows.argmax(0);
        for (let child = childWithToken(tree, 0, next); child !== -1; child = childWithToken(tree, child, next)) {
          path.push(child);
          next = rows.argmax(child);
        }
        const committed = Int32Array.from([...path.slice(1).map((node) => tree.tokens[node]!), next]);
        await session.observe({ tree, rows, path: Int32Array.from(path), committed });
        await runs[i]!.commit(Int32Array.from(path));
        ids[i]!.push(...committed);
        heads[i] = round % 4 === 3 ? Int32Array.of(round % vocabularySize, 0) : new Int32Array(0);
      }
    return log.map((lines) => lines.join("\n"));
  }
  const withDrafter = async (work: (drafter: Drafter) => Promise<void>) => {
    const drafter = await make();
    try {
      await work(drafter);
    } finally {
      await drafter.dispose?.();
    }
  };
  const wide = (): [number, number] => [6, 40];

  return [
    {
      name: "states the contract version, a name and its needs",
      run: () =>
        withDrafter(async (drafter) => {
          check(drafter.contractVersion === CONTRACT_VERSION, `contractVersion is ${drafter.contractVersion}`);
          check(typeof drafter.name === "string" && drafter.name !== "", "the drafter has no name");
          check(typeof drafter.needs === "object" && drafter.needs !== null, "needs is no object");
        }),
    },
    {
      name: "keeps to length and nodes in every round, skipped rounds between",
      run: () =>
        withDrafter(async (drafter) => {
          const cases: [number, number][] = [
            [1, 1],
            [4, 4],
            [0, 0],
            [3, 3],
            [2, 60],
            [16, 16],
            [1, 30],
            [30, 100],
          ];
          const session = await drafter.open();
          await drive(drafter, [session], (round) => cases[round % cases.length]!);
          await session.dispose();
        }),
    },
    {
      name: "begins again in the same session",
      run: () =>
        withDrafter(async (drafter) => {
          const session = await drafter.open();
          await drive(drafter, [session], wide);
          await drive(drafter, [session], wide);
          await session.dispose();
        }),
    },
    {
      name: "is not disturbed by a proposal that was never observed",
      run: () =>
        withDrafter(async (drafter) => {
          const session = await drafter.open();
          await session.begin({ ids: prompt.slice(), sampler: GREEDY });
          await session.propose({
            length: 4,
            nodes: 16,
            head: new Int32Array(0),
            signal: new AbortController().signal,
          });
          await drive(drafter, [session], wide);
          await session.dispose();
        }),
    },
    {
      name: "keeps two interleaved sessions apart",
      run: () =>
        withDrafter(async (drafter) => {
          const sessions = [await drafter.open(), await drafter.open()];
          await drive(drafter, sessions, wide);
          for (const session of sessions) await session.dispose();
        }),
    },
    {
      name: "draws equal drafts from equal beginnings (a fresh drafter each)",
      run: async () => {
        const logs: string[] = [];
        for (let i = 0; i < 2; i++)
          await withDrafter(async (drafter) => {
            const session = await drafter.open();
            logs.push((await drive(drafter, [session], wide))[0]!);
            await session.dispose();
          });
        check(logs[0] === logs[1], "two fresh drafters drafted differently in the same generation");
      },
    },
  ];
}
