import {
  CONTRACT_VERSION,
  DiffuSpecError,
  type Draft,
  type Drafter,
  type DrafterSession,
  type DraftStart,
  type Needs,
} from "@diffuspec/contracts";
import { checkKeys } from "../checks.ts";

export interface CascadeOptions {
  /** Asked first; must state what it expects (`expectedAccepted` of its drafts), else it is never taken. */
  readonly first: Drafter;
  /** Asked where the first expects too little. */
  readonly otherwise: Drafter;
  /** Tokens the first drafter must expect to be accepted; a number >= 0. */
  readonly least: number;
  /**
   * Which generations are left to the first drafter alone, whatever it expects; the second one then neither begins nor observes.
   * By default none.
   */
  readonly alone?: (start: DraftStart) => boolean;
  /** Name in statistics and messages; default "first>otherwise" of their names. */
  readonly name?: string;
}

/**
 * Two drafters in one: a round takes the first one's draft where it expects `least` accepted tokens or more, and asks the
 * second one otherwise. Both see every outcome, so either can go on where the other drafted. Generations that `alone` names are
 * the first one's.
 *
 * It pays where the first costs next to nothing: what it drafts with confidence saves the second one's pass.
 *
 * @throws ERR_OPTION
 */
export function createCascade(options: CascadeOptions): Drafter {
  checkKeys(options, ["first", "otherwise", "least", "alone", "name"]);
  const { first, otherwise, least, alone = () => false, name = `${first?.name}>${otherwise?.name}` } = options;
  for (const [key, drafter] of Object.entries({ first, otherwise }))
    if (typeof drafter?.open !== "function") throw refuse(`${key} is no drafter`, "it is an object with open()");
  if (!(least >= 0 && least < Number.POSITIVE_INFINITY)) throw refuse(`least is ${least}`, "it is a number >= 0");
  if (typeof alone !== "function") throw refuse(`alone is ${String(alone)}`, "it is a function of a DraftStart");
  const vocabulary = otherwise.vocabulary ?? first.vocabulary;
  return {
    contractVersion: CONTRACT_VERSION,
    name,
    needs: union(first.needs, otherwise.needs),
    ...(vocabulary && { vocabulary }),
    async open() {
      const cheap = await first.open();
      try {
        return openSession(cheap, await otherwise.open(), least, alone);
      } catch (error) {
        await cheap.dispose();
        throw error;
      }
    },
    async dispose() {
      await first.dispose?.();
      await otherwise.dispose?.();
    },
  };
}

function openSession(
  cheap: DrafterSession,
  better: DrafterSession,
  least: number,
  alone: (start: DraftStart) => boolean,
): DrafterSession {
  let both = true;
  return {
    async begin(start) {
      both = !alone(start);
      await cheap.begin(start);
      if (both) await better.begin({ ...start, ids: start.ids.slice() });
    },
    // Without a promise where neither needs one: the loop has no timer to set then.
    propose(request) {
      if (!both) return cheap.propose(request);
      const choose = (draft: Draft) => ((draft.expectedAccepted ?? -1) >= least ? draft : better.propose(request));
      const draft = cheap.propose({ ...request, head: request.head.slice() });
      return "then" in draft ? draft.then(choose) : choose(draft);
    },
    observe(outcome) {
      const first = cheap.observe(outcome);
      if (!both) return first;
      return first === undefined ? better.observe(outcome) : first.then(() => better.observe(outcome));
    },
    async dispose() {
      await cheap.dispose();
      await better.dispose();
    },
  };
}

function union(a: Needs, b: Needs): Needs {
  const topK = Math.max(a.topK ?? 0, b.topK ?? 0);
  const taps = [...new Set([...(a.taps ?? []), ...(b.taps ?? [])])];
  const wanted = [a, b].filter((needs) => (needs.topK ?? 0) > 0 || (needs.taps?.length ?? 0) > 0);
  const idle = wanted.length > 0 && wanted.every((needs) => needs.whenIdle === false);
  return { ...(topK > 0 && { topK }), ...(taps.length > 0 && { taps }), ...(idle && { whenIdle: false }) };
}

const refuse = (what: string, why: string) =>
  new DiffuSpecError({ code: "ERR_OPTION", what, why, next: "See CascadeOptions of @diffuspec/drafters/cascade." });
