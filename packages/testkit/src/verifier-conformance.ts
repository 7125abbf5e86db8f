import {
  abortError,
  argmax,
  CONTRACT_VERSION,
  chain,
  type Rows,
  type TokenTree,
  type Verifier,
  type VerifierSession,
} from "@diffuspec/contracts";
import { check, checkThrows } from "./errors.ts";
import type { NamedCheck } from "./named-check.ts";

export interface VerifierConformanceOptions {
  /** Ids to work with, at least 6 and well within the context; default a made-up prompt. */
  readonly prompt?: ArrayLike<number>;
  /** Taps the verifier offers; checked where given. */
  readonly needs?: { readonly topK?: number };
}

/** What every verifier owes the loop. `make` may give the same verifier each time; it is not disposed here. */
export function verifierConformance(
  make: () => Verifier | Promise<Verifier>,
  options: VerifierConformanceOptions = {},
): NamedCheck[] {
  const none = new AbortController().signal;
  const promptOf = (verifier: Verifier) =>
    Int32Array.from(options.prompt ?? Array.from({ length: 24 }, (_, i) => (i * 7 + 3) % verifier.vocabularySize));
  const check1 = (name: string, work: (verifier: Verifier, prompt: Int32Array) => Promise<void>): NamedCheck => ({
    name,
    run: async () => {
      const verifier = await make();
      await work(verifier, promptOf(verifier));
    },
  });
  const opened = async (verifier: Verifier, work: (session: VerifierSession) => Promise<void>) => {
    const session = await verifier.open();
    try {
      await work(session);
    } finally {
      await session.dispose();
    }
  };
  const look = async (session: VerifierSession, tree: TokenTree) => copy(await session.verify(tree, { logits: true }));

  return [
    check1("states the contract version and sane sizes", async (verifier, prompt) => {
      check(verifier.contractVersion === CONTRACT_VERSION, `contractVersion is ${verifier.contractVersion}`);
      check(verifier.maxNodes >= 1 && verifier.contextLength > prompt.length, "maxNodes or contextLength is too small");
      for (const id of verifier.eosIds) check(id >= 0 && id < verifier.vocabularySize, `eosIds holds ${id}`);
    }),
    check1("rows: one a node, the root's exact, argmax is the lowest id of the largest logit", (verifier, prompt) =>
      opened(verifier, async (session) => {
        await session.prefill(prompt);
        const tree = chain(prompt.at(-1)!, draftOf(verifier, 4));
        const rows = await session.verify(tree, { logits: true, topK: options.needs?.topK ?? 0 });
        check(rows.count === tree.tokens.length, `${rows.count} rows for ${tree.tokens.length} nodes`);
        check(rows.exact >= 1 && rows.exact <= rows.count, `exact is ${rows.exact}`);
        for (let row = 0; row < rows.count; row++) {
          const logits = rows.logits(row).slice();
          check(logits.length === verifier.vocabularySize, `row ${row} has ${logits.length} logits`);
          check(
            rows.argmax(row) === argmax(logits),
            `argmax of row ${row} is ${rows.argmax(row)}, not ${argmax(logits)}`,
          );
          if (options.needs?.topK)
            check(rows.top(row)[0] === argmax(logits), `top of row ${row} does not begin with its argmax`);
        }
      }),
    ),
    check1("verify twice gives the same rows and leaves the cache alone", (verifier, prompt) =>
      opened(verifier, async (session) => {
        await session.prefill(prompt);
        check(session.length === prompt.length - 1, `length is ${session.length} after prefill`);
        const tree = chain(prompt.at(-1)!, draftOf(verifier, 5));
        const first = await look(session, tree);
        same(await look(session, tree), first, first.length, "the second pass");
        check(session.length === prompt.length - 1, "verify changed the length");
      }),
    ),
    check1("a row does not depend on how many others there are", (verifier, prompt) =>
      opened(verifier, async (session) => {
        await session.prefill(prompt);
        const path = draftOf(verifier, 7);
        const long = await look(session, chain(prompt.at(-1)!, path));
        for (let length = 0; length < path.length; length++)
          same(
            await look(session, chain(prompt.at(-1)!, path.slice(0, length))),
            long,
            length + 1,
            `a chain of ${length}`,
          );
      }),
    ),
    check1("a tree's exact rows equal the chain's, or trees are refused", (verifier, prompt) =>
      opened(verifier, async (session) => {
        await session.prefill(prompt);
        const root = prompt.at(-1)!;
        const path = draftOf(verifier, 3);
        const expected = await look(session, chain(root, path));
        const side = draftOf(verifier, 6).slice(3);
        const tree = {
          tokens: Int32Array.from([root, ...path, ...side]),
          parents: Int32Array.from([-1, 0, 1, 2, 0, 1, 4]),
        };
        if (verifier.trees === false)
          return checkThrows("ERR_UNSUPPORTED", () => session.verify(tree, { logits: true }), "a tree");
        const rows = await session.verify(tree, { logits: true });
        check(
          rows.exact >= 4 || verifier.exactness === "tolerant",
          `only ${rows.exact} rows of a trunk of 4 are exact`,
        );
        if (verifier.exactness === "exact") same(copy(rows), expected, Math.min(4, rows.exact), "the tree's trunk");
      }),
    ),
    check1("the cache after commits equals a fresh prefill, bit for bit", (verifier, prompt) =>
      opened(verifier, async (session) => {
        const ids = Array.from(prompt);
        await session.prefill(prompt);
        for (let round = 0; round < 4; round++) {
          const path = draftOf(verifier, 5, round);
          await session.verify(chain(ids.at(-1)!, path), { logits: false });
          const kept = (round * 2) % 5;
          await session.commit(Int32Array.from({ length: kept + 1 }, (_, i) => i));
          ids.push(...path.slice(0, kept), (round * 3 + 1) % verifier.vocabularySize);
          check(session.length === ids.length - 1, `length is ${session.length}, not ${ids.length - 1}`);
        }
        const tree = chain(ids.at(-1)!, draftOf(verifier, 3, 9));
        const mine = await look(session, tree);
        await opened(verifier, async (fresh) => {
          await fresh.prefill(Int32Array.from(ids));
          same(mine, await look(fresh, tree), mine.length, "the committed cache");
        });
      }),
    ),
    check1("a root's row out of the prefill is that of a pass of its own, and can be committed", (verifier, prompt) =>
      opened(verifier, async (session) => {
        for (const length of [1, 2, 3, prompt.length - 1, prompt.length, prompt.length]) {
          const ids = prompt.slice(0, length);
          const { root } = await session.prefill(ids, { needs: { logits: true } });
          if (root === undefined) return; // never owed
          check(root.count === 1 && root.exact === 1, `the root has ${root.count} rows, ${root.exact} exact`);
          check(session.length === length - 1, `length is ${session.length} behind ${length} ids`);
          const given = copy(root);
          check(root.argmax(0) === argmax(given[0]!), `the root's argmax is ${root.argmax(0)}`);
          const exact = verifier.exactness === "exact";
          if (exact) same(given, await look(session, chain(ids.at(-1)!, [])), 1, "the root's row");
          await session.prefill(ids, { needs: { logits: true } });
          await session.commit(Int32Array.of(0));
          check(session.length === length, `length is ${session.length} after the root`);
          const mine = await look(session, chain(1, draftOf(verifier, 2)));
          await opened(verifier, async (fresh) => {
            await fresh.prefill(Int32Array.from([...ids, 1]));
            if (exact) same(mine, await look(fresh, chain(1, draftOf(verifier, 2))), 3, "the cache behind the root");
          });
        }
      }),
    ),
    check1("prefill reuses a shared prefix and forgets the rest", (verifier, prompt) =>
      opened(verifier, async (session) => {
        await session.prefill(prompt);
        const half = prompt.length >> 1;
        const other = Int32Array.from(prompt, (id, i) => (i < half ? id : (id + 1) % verifier.vocabularySize));
        const { reused, computed } = await session.prefill(other);
        check(reused <= half && reused + computed === other.length - 1, `reused ${reused}, computed ${computed}`);
        const mine = await look(session, chain(other.at(-1)!, [0]));
        await opened(verifier, async (fresh) => {
          await fresh.prefill(other);
          same(mine, await look(fresh, chain(other.at(-1)!, [0])), 2, "the reused cache");
        });
      }),
    ),
    check1("a prefill aborted at any chunk leaves the session usable", (verifier, prompt) =>
      opened(verifier, async (session) => {
        const controller = new AbortController();
        let chunks = false;
        const onProgress = (done: number, total: number) => {
          chunks ||= done < total;
          controller.abort();
        };
        const long = Int32Array.from(
          { length: Math.min(verifier.contextLength, 300) },
          (_, i) => prompt[i % prompt.length]!,
        );
        // A verifier that takes the whole prompt in one chunk never looks at the signal again.
        const first = async () => {
          await session.prefill(long, { signal: controller.signal, onProgress });
          if (!chunks) throw abortError();
        };
        await checkThrows("ERR_ABORTED", first, "an abort between chunks");
        await checkThrows(
          "ERR_ABORTED",
          () => session.prefill(long, { signal: AbortSignal.abort() }),
          "an aborted signal",
        );
        await session.prefill(prompt, { signal: none });
        const mine = await look(session, chain(prompt.at(-1)!, [0]));
        await opened(verifier, async (fresh) => {
          await fresh.prefill(prompt);
          same(mine, await look(fresh, chain(prompt.at(-1)!, [0])), 2, "the cache after an abort");
        });
      }),
    ),
    check1("two sessions do not disturb each other", (verifier, prompt) =>
      opened(verifier, async (session) => {
        await session.prefill(prompt);
        const tree = chain(prompt.at(-1)!, draftOf(verifier, 2));
        const before = await look(session, tree);
        await opened(verifier, async (other) => {
          await other.prefill(prompt.toReversed());
          await other.verify(chain(prompt[0]!, [1]), { logits: false });
          await other.commit(Int32Array.of(0, 1));
        });
        same(await look(session, tree), before, before.length, "the first session");
      }),
    ),
    check1("bad input gives typed errors, and the session stays usable", (verifier, prompt) =>
      opened(verifier, async (session) => {
        await checkThrows("ERR_PROMPT", () => session.prefill(new Int32Array(0)), "no ids");
        await checkThrows("ERR_PROMPT", () => session.prefill(Int32Array.of(-1)), "id -1");
        await checkThrows(
          "ERR_PROMPT",
          () => session.prefill(Int32Array.of(0, verifier.vocabularySize)),
          "an id past the end",
        );
        const long = new Int32Array(verifier.contextLength + 1);
        await checkThrows("ERR_CONTEXT_EXCEEDED", () => session.prefill(long), "a prompt past the context");
        await session.prefill(prompt);
        await session.verify(chain(prompt.at(-1)!, []), { logits: false });
        await session.commit(Int32Array.of(0));
        check(session.length === prompt.length, `length is ${session.length} after a one-row round`);
      }),
    ),
  ];
}

function draftOf(verifier: Verifier, length: number, salt = 0): number[] {
  return Array.from({ length }, (_, i) => (i * 5 + salt * 11 + 2) % verifier.vocabularySize);
}

function copy(rows: Rows): Float32Array[] {
  return Array.from({ length: rows.count }, (_, row) => rows.logits(row).slice());
}

function same(found: Float32Array[], expected: Float32Array[], rows: number, what: string): void {
  for (let row = 0; row < rows; row++)
    for (let id = 0; id < expected[row]!.length; id++)
      check(
        Object.is(found[row]![id], expected[row]![id]),
        `${what}: row ${row}, id ${id} is ${found[row]![id]}, not ${expected[row]![id]}`,
      );
}
