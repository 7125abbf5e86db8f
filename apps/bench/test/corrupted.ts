import type { Rows, Verifier } from "@diffuspec/contracts";

/** A target that, seen through drafts, says another token in every fifth pass. */
export function corrupted(verifier: Verifier): Verifier {
  return {
    ...verifier,
    async open() {
      const session = await verifier.open();
      let passes = 0;
      return {
        get length() {
          return session.length;
        },
        prefill: (ids, options) => session.prefill(ids, options),
        commit: (path) => session.commit(path),
        dispose: () => session.dispose(),
        async verify(tree, needs): Promise<Rows> {
          const rows = await session.verify(tree, needs);
          const wrong = ++passes % 5 === 0;
          return {
            count: rows.count,
            exact: rows.exact,
            argmax: (row) => (wrong ? (rows.argmax(row) + 1) % verifier.vocabularySize : rows.argmax(row)),
            logits: (row) => rows.logits(row),
            top: (row) => rows.top(row),
            tap: (row, tap) => rows.tap(row, tap),
          };
        },
      };
    },
  };
}
