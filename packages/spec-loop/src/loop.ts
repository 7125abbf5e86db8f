import {
  chain,
  DiffuSpecError,
  depths,
  type LengthController,
  type Rows,
  type TokenTree,
  type Verifier,
  type VerifierSession,
} from "@diffuspec/contracts";
import { accept } from "./accept.ts";
import { createCompletion, type FinishReason, type GrowingCompletion } from "./completion.ts";
import type { DrafterSeat } from "./drafter-seat.ts";
import type { Plan } from "./generate-options.ts";
import { graft, trunkOf } from "./graft.ts";
import { createMeter, now, type RoundStats, type Totals } from "./stats.ts";
import { throwIfStopped } from "./within.ts";

/** What one pass of the target brought. */
export interface Round {
  /** Ids committed now, after cuts; at least one. */
  readonly tokens: Int32Array;
  /** The first `accepted` of them were drafted. */
  readonly accepted: number;
  /** True where the last one is the target's own token; false only where a cut fell inside the draft. */
  readonly bonus: boolean;
  /** Text released by this round, stop strings cut off; "" without a text stream. */
  readonly text: string;
  /** The same text by token; what a token completes or frees is its own. [tokens] or, without a text stream, []. */
  readonly texts: readonly string[];
  /** Not null in the last round. */
  readonly finishReason: FinishReason | null;
  readonly stats: RoundStats;
  /** Sums up to and with this round. */
  readonly totals: Totals;
}

/** The whole of a generation; what the iterator returns after its last round. */
export interface Completion {
  /** Ids after the prompt, an end-of-text id included. */
  readonly tokens: Int32Array;
  readonly text: string;
  readonly finishReason: FinishReason;
  readonly totals: Totals;
}

export type Generation = AsyncGenerator<Round, Completion, void>;

/** The parts of a session, and who is using them. */
export interface Machine {
  readonly verifier: Verifier;
  readonly cache: VerifierSession;
  readonly seat: DrafterSeat | undefined;
  readonly controller: LengthController;
  readonly maxDraftNodes: number;
  readonly closing: AbortSignal;
  busy: boolean;
  /** The work under way, for dispose to wait for. */
  step: Promise<unknown> | undefined;
}

/** Drives one generation; the rounds themselves are {@link openRounds}'. */
export async function* runGeneration(machine: Machine, plan: Plan): Generation {
  if (machine.busy) throw busyError();
  machine.busy = true;
  try {
    const signal = plan.signal ? AbortSignal.any([plan.signal, machine.closing]) : machine.closing;
    const during = <T>(work: Promise<T>): Promise<T> => {
      machine.step = work;
      return work;
    };
    throwIfStopped(signal);
    const meter = createMeter();
    const completion = createCompletion(plan, machine.verifier.contextLength);
    if (completion.finishReason === null) {
      const work = await during(prefill(machine, plan, signal));
      meter.prefilled(work);
      const next = openRounds(machine, plan, completion, signal, work.root);
      while (completion.finishReason === null) {
        const round = await during(next());
        meter.add(round.stats);
        meter.pause();
        yield Object.assign(round, { totals: meter.totals() });
        meter.resume();
      }
    }
    const { tokens, text, finishReason } = completion;
    return { tokens, text, finishReason: finishReason!, totals: meter.totals() };
  } catch (error) {
    throw machine.closing.aborted ? machine.closing.reason : error;
  } finally {
    machine.busy = false;
    machine.step = undefined;
  }
}

/** Target first, then the drafter. */
async function prefill(
  machine: Machine,
  plan: Plan,
  signal: AbortSignal,
): Promise<{ reused: number; ms: number; root: Rows | undefined }> {
  const { cache, seat, controller } = machine;
  const since = now();
  const { onPrefill } = plan;
  const { reused, root } = await cache.prefill(plan.prompt.slice(), {
    signal,
    needs: { ...seat?.drafter.needs, logits: !samplerAt(plan, plan.prompt.length).argmaxOnly },
    ...(onPrefill && { onProgress: onPrefill }),
  });
  throwIfStopped(signal);
  if (seat) {
    await orDrop(seat, () => seat.begin({ ids: plan.prompt.slice(), sampler: plan.sampler }, signal));
    controller.begin();
  }
  return { reused, ms: now() - since, root };
}

/**
 * Rounds of one generation: length, draft, graft, verify, accept, cut, observe, commit. The drafter observes before the
 * commit because the target's rows are valid until the next call of its session.
 */
function openRounds(
  machine: Machine,
  plan: Plan,
  completion: GrowingCompletion,
  signal: AbortSignal,
  prefilled: Rows | undefined,
) {
  const { verifier, cache, seat, controller } = machine;
  const { vocabularySize } = verifier;
  let head: Int32Array = new Int32Array(0);
  let given = prefilled; // the root's row, if there already: its round has no pass and no draft

  /** The length controller's k within what can still be committed, cached and verified; 0 skips the drafter. */
  function draftLimits(): { length: number; nodes: number } {
    const nodes = Math.min(machine.maxDraftNodes, verifier.contextLength - completion.length);
    const limit = Math.min(completion.room - 1, nodes);
    if (!seat || limit <= 0) return { length: 0, nodes };
    const length = controller.next({ limit });
    if (!Number.isInteger(length) || length < 0) throw controllerError(controller.name, length);
    return { length: Math.min(length, limit), nodes };
  }

  async function next(): Promise<Omit<Round, "totals">> {
    throwIfStopped(signal);
    const root = completion.ids[completion.length - 1]!;
    const sampler = samplerAt(plan, completion.length);
    const known = given;
    given = undefined;
    const { length, nodes } = known ? { length: 0, nodes: 0 } : draftLimits();
    const offered = head.subarray(0, length);

    const drafting = now();
    const draft =
      length > 0
        ? await seat!.propose({ length, nodes, head: offered.slice() }, { root, vocabularySize }, signal)
        : null;
    const grafted = draft ? graft(offered, draft.tree, nodes + 1) : chain(root, []);
    const tree = verifier.trees === false ? trunkOf(grafted) : grafted;

    const verifying = now();
    const idle = length === 0 && !known;
    const needs = seat && (!idle || seat.drafter.needs.whenIdle !== false) ? seat.drafter.needs : {};
    const rows = known ?? (await cache.verify(tree, { ...needs, logits: !sampler.argmaxOnly }));
    const verified = now();
    throwIfStopped(signal);
    requireRows(rows, tree, verifier.name);

    const found = accept(tree, rows, sampler, completion.ids, completion.length, vocabularySize);
    head = found.head;
    const drafted = found.path.length - 1;
    const { kept, texts } = completion.take(
      [...found.path.subarray(1)].map((node) => tree.tokens[node]!).concat(found.bonus),
    );
    const tokens = completion.ids.slice(completion.length - kept, completion.length);
    const path = found.path.slice(0, kept);

    const observing = now();
    if (seat) await seat.observe({ tree, rows, path, committed: tokens, ...(idle && { idle }) }, signal);
    const committing = now();
    await cache.commit(path);
    const committed = now();

    const searchMs = draft?.searchMs ?? 0;
    const draftMs = seat ? verifying - drafting + (committing - observing) : 0;
    const verifyMs = verified - verifying + (committed - committing);
    const accepted = Math.min(drafted, kept);
    const stats: RoundStats = {
      length,
      drafted: tree.tokens.length - 1,
      accepted,
      committed: kept,
      rows: tree.tokens.length,
      draftMs: Math.max(0, draftMs - searchMs),
      searchMs,
      verifyMs,
    };
    if (seat && !known)
      controller.observe({
        length,
        drafted: depthOf(tree),
        generatedLength: draft?.generatedLength ?? (draft ? depthOf(draft.tree) : 0),
        accepted,
        rows: stats.rows,
        draftMs,
        verifyMs,
      });
    const { finishReason } = completion;
    return { tokens, accepted, bonus: kept > drafted, text: texts.join(""), texts, finishReason, stats };
  }
  return () => orDrop(seat, next);
}

/** Of rounds that begin behind so many ids. */
const samplerAt = (plan: Plan, length: number) => (length >= plan.freeFrom ? plan.freeSampler : plan.sampler);

/** After a failure in mid-round nobody knows what the drafter's session has seen: the next generation gets a fresh one. */
async function orDrop<T>(seat: DrafterSeat | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    seat?.drop();
    throw error;
  }
}

const depthOf = (tree: TokenTree): number => depths(tree).reduce((most, depth) => Math.max(most, depth), 0);

function requireRows(rows: Rows, tree: TokenTree, verifier: string): void {
  const nodes = tree.tokens.length;
  if (rows.count === nodes && Number.isInteger(rows.exact) && rows.exact >= 1 && rows.exact <= nodes) return;
  throw new DiffuSpecError({
    code: "ERR_CONTRACT",
    what: `${verifier} answered a tree of ${nodes} nodes with ${rows.count} rows, ${rows.exact} of them exact`,
    why: "a pass gives one row a node, and at least the root's is exact",
    next: "Fix the verifier.",
  });
}

function controllerError(name: string, length: number): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_CONTRACT",
    what: `The length controller ${name} asked for ${length} tokens`,
    why: "a length is an integer >= 0",
    next: "Fix the controller.",
    details: { length },
  });
}

function busyError(): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_CONTRACT",
    what: "A second generation was started in this session",
    why: "a session has one cache, and another generation is still being iterated",
    next: "Finish or return() the first, or open another session.",
  });
}
