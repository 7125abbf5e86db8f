import {
  DiffuSpecError,
  type Draft,
  type Drafter,
  type DrafterSession,
  type DraftRequest,
  type DraftStart,
  depths,
  isDiffuSpecError,
  type Outcome,
  validateTree,
} from "@diffuspec/contracts";
import { within } from "./within.ts";

/** Where the loop meets foreign code: every call is bounded in time, can be aborted, and fails with a typed error. */
export interface DrafterSeat {
  readonly drafter: Drafter;
  begin(start: DraftStart, signal: AbortSignal): Promise<void>;
  /** A valid draft under `root`, no deeper and no larger than asked. */
  propose(
    request: Omit<DraftRequest, "signal">,
    target: { root: number; vocabularySize: number },
    signal: AbortSignal,
  ): Promise<Draft>;
  observe(outcome: Outcome, signal: AbortSignal): Promise<void>;
  /** Gives the drafter's session up after a failure; begin opens a fresh one. Never waits, never throws. */
  drop(): void;
  dispose(): Promise<void>;
}

export function createDrafterSeat(drafter: Drafter, timeoutMs: number): DrafterSeat {
  let session: DrafterSession | undefined;
  /** Fires where a call of this generation is given up: one for all of them, for making one a round takes time. */
  let giveUp = new AbortController();
  const abandoned = (error: Error) => giveUp.abort(error);
  const quietly = (old: DrafterSession | undefined) => {
    void Promise.resolve()
      .then(() => old?.dispose())
      .catch(() => {});
  };
  async function ask<T>(
    action: string,
    signal: AbortSignal,
    call: () => T | PromiseLike<T>,
    late?: (value: T) => void,
  ): Promise<T> {
    const timeout = () => timeoutError(drafter.name, action, timeoutMs);
    try {
      return await within(call, { signal, timeoutMs, timeout, abandoned, ...(late && { late }) });
    } catch (error) {
      throw isDiffuSpecError(error) ? error : failure(drafter.name, action, error);
    }
  }
  return {
    drafter,
    async begin(start, signal) {
      giveUp = new AbortController();
      session ??= await ask("open", signal, () => drafter.open(), quietly);
      const open = session;
      await ask("begin", signal, () => open.begin(start));
    },
    async propose(request, target, signal) {
      const draft = await ask("propose", signal, () => session!.propose({ ...request, signal: giveUp.signal }));
      validateTree(draft?.tree, { ...target, maxNodes: request.nodes + 1 }, drafter.name);
      const depth = Math.max(...depths(draft.tree));
      if (depth > request.length)
        throw invalid(drafter.name, `it is ${depth} deep and ${request.length} was asked for`);
      for (const key of ["generatedLength", "expectedAccepted", "searchMs"] as const) {
        const value = draft[key];
        if (value !== undefined && !(Number.isFinite(value) && value >= 0))
          throw invalid(drafter.name, `its ${key} is ${value}, not a number >= 0`);
      }
      return draft;
    },
    observe: (outcome, signal) => ask("observe", signal, () => session!.observe(outcome)),
    drop() {
      quietly(session);
      session = undefined;
    },
    async dispose() {
      const old = session;
      session = undefined;
      if (old) await ask("dispose", new AbortController().signal, () => old.dispose());
    },
  };
}

function timeoutError(drafter: string, action: string, timeoutMs: number): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_DRAFT_TIMEOUT",
    what: `The drafter ${drafter} did not answer ${action}()`,
    why: `${timeoutMs} ms passed`,
    next: "Fix the drafter, or raise draftTimeoutMs. The session can be used again.",
    details: { drafter, action, timeoutMs },
  });
}

function failure(drafter: string, action: string, cause: unknown): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_CONTRACT",
    what: `The drafter ${drafter} failed in ${action}()`,
    why: cause instanceof Error ? cause.message : String(cause),
    next: "See the cause. The session can be used again.",
    details: { drafter, action },
    cause,
  });
}

function invalid(drafter: string, why: string): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_DRAFT_INVALID",
    what: `${drafter} proposed an invalid draft`,
    why,
    next: "Let the drafter keep to request.length and request.nodes.",
    details: { drafter },
  });
}
