import {
  CONTRACT_VERSION,
  DiffuSpecError,
  type Drafter,
  type LengthController,
  MAX_TREE_NODES,
  type Verifier,
} from "@diffuspec/contracts";
import { createDrafterSeat, type DrafterSeat } from "./drafter-seat.ts";
import { fixedLength } from "./fixed-length.ts";
import { type GenerateOptions, planGeneration } from "./generate-options.ts";
import { type Generation, type Machine, runGeneration } from "./loop.ts";
import { optionError, refuseUnknown, requireInteger } from "./options.ts";
import { assertSameVocabulary, type VocabularyGate } from "./vocabulary.ts";

export interface SessionOptions {
  readonly verifier: Verifier;
  /** Absent: plain decoding, one row a round. */
  readonly drafter?: Drafter;
  /** Default fixedLength(SESSION_DEFAULTS.length). Has no say without a drafter. */
  readonly controller?: LengthController;
  /** Most draft nodes of a round, the root not counted; default what the verifier allows. */
  readonly maxDraftNodes?: number;
  /** A drafter that takes longer for one answer fails with ERR_DRAFT_TIMEOUT. Milliseconds. */
  readonly draftTimeoutMs?: number;
  /** What may differ between the vocabularies of verifier and drafter, where both have one. Default: nothing. */
  readonly vocabularyGate?: VocabularyGate;
}

export const SESSION_DEFAULTS = { length: 8, draftTimeoutMs: 30_000 } as const;

/** One conversation: the caches of target and drafter, kept between generations. */
export interface Session {
  /** Rows in the target's cache. */
  readonly length: number;
  /**
   * Continues `prompt` (all ids, also those of earlier turns: their cache rows are found again). Runs as it is iterated;
   * leaving the iteration early is fine, and so is any error: the session stays usable. One generation at a time.
   *
   * @throws at once ERR_OPTION, ERR_PROMPT, ERR_CONTEXT_EXCEEDED, ERR_CLOSED; while iterated ERR_ABORTED, ERR_CLOSED,
   * ERR_CONTRACT (a second generation at the same time, or a part that broke its contract), ERR_DRAFT_INVALID,
   * ERR_DRAFT_TIMEOUT, and whatever typed error the parts throw.
   */
  generate(prompt: ArrayLike<number>, options?: Partial<GenerateOptions>): Generation;
  /** Ends a running generation with ERR_CLOSED and frees both caches. */
  dispose(): Promise<void>;
}

/**
 * Opens a session of the verifier and, lazily, one of the drafter.
 *
 * @throws ERR_OPTION, ERR_CONTRACT (written against another contract version), ERR_VOCABULARY_MISMATCH
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  refuseUnknown("openSession", options, [
    "verifier",
    "drafter",
    "controller",
    "maxDraftNodes",
    "draftTimeoutMs",
    "vocabularyGate",
  ]);
  const { verifier, drafter } = options;
  if (!verifier) throw optionError("verifier", verifier, "a Verifier");
  for (const part of drafter ? [verifier, drafter] : [verifier]) requireContract(part);
  if (drafter?.vocabulary && verifier.vocabulary)
    assertSameVocabulary(verifier.vocabulary, drafter.vocabulary, options.vocabularyGate);
  for (const key of ["vocabularySize", "contextLength", "maxNodes"] as const)
    requireInteger(`${key} of the verifier ${verifier.name}`, verifier[key], 1);
  const timeoutMs = options.draftTimeoutMs ?? SESSION_DEFAULTS.draftTimeoutMs;
  if (!(timeoutMs > 0 && timeoutMs < 2 ** 31)) throw optionError("draftTimeoutMs", timeoutMs, "in (0, 2^31) ms");
  if (options.maxDraftNodes !== undefined) requireInteger("maxDraftNodes", options.maxDraftNodes, 0);

  const cache = await verifier.open();
  const seat: DrafterSeat | undefined = drafter && createDrafterSeat(drafter, timeoutMs);
  const closing = new AbortController();
  const machine: Machine = {
    verifier,
    cache,
    seat,
    controller: options.controller ?? fixedLength(SESSION_DEFAULTS.length),
    maxDraftNodes: Math.min(options.maxDraftNodes ?? MAX_TREE_NODES, verifier.maxNodes - 1, MAX_TREE_NODES - 1),
    closing: closing.signal,
    busy: false,
    step: undefined,
  };
  return {
    get length() {
      return cache.length;
    },
    generate(prompt, generateOptions = {}) {
      if (closing.signal.aborted) throw closedError();
      return runGeneration(machine, planGeneration(prompt, generateOptions, verifier));
    },
    async dispose() {
      if (closing.signal.aborted) return;
      closing.abort(closedError());
      await machine.step?.catch(() => {});
      await Promise.all([cache.dispose(), seat?.dispose()]);
    },
  };
}

function requireContract(part: Verifier | Drafter): void {
  if (part.contractVersion === CONTRACT_VERSION) return;
  throw new DiffuSpecError({
    code: "ERR_CONTRACT",
    what: `${part.name} was written against version ${part.contractVersion} of the contracts`,
    why: `this loop speaks version ${CONTRACT_VERSION}`,
    next: "Install matching versions of the @diffuspec packages.",
    details: { found: part.contractVersion, needed: CONTRACT_VERSION },
  });
}

function closedError(): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_CLOSED",
    what: "The session is closed",
    why: "dispose() was called",
    next: "Open a new session.",
  });
}
