import { DiffuSpecError, type Vocabulary } from "@diffuspec/contracts";
import { optionError, refuseUnknown } from "./options.ts";

/** An id that is known to mean different pieces, by both names; it holds for no other pieces. undefined: unused, or absent. */
export interface VocabularyException {
  readonly id: number;
  readonly target: string | undefined;
  readonly drafter: string | undefined;
}

/** What may differ between two vocabularies that are to work together. */
export interface VocabularyGate {
  /** Special tokens that only one of the two has. Other differences stay differences. */
  readonly exceptions?: readonly VocabularyException[];
  /** Ids below this are compared, for a drafter that knows fewer; default: all of the target's. */
  readonly window?: number;
}

/**
 * Two models work together only where every id of the target means the same piece to the drafter. The drafter may have
 * further ids (a mask token); a draft that uses one is refused when it comes.
 *
 * @returns the ids that mean different things by a named exception, ascending: a drafter should neither propose nor read them
 * @throws ERR_VOCABULARY_MISMATCH naming the first differing id with both pieces, ERR_OPTION for a gate that makes no sense
 */
export function assertSameVocabulary(target: Vocabulary, drafter: Vocabulary, gate: VocabularyGate = {}): number[] {
  const { exceptions, window } = checkGate(gate, target.size);
  if (target.size === drafter.size && target.fingerprint === drafter.fingerprint) return [];
  const foreign: number[] = [];
  for (let id = 0; id < window; id++) {
    const absent = id >= drafter.size;
    const theirs = absent ? undefined : drafter.piece(id);
    const ours = target.piece(id);
    if (!absent && ours === theirs) continue;
    const named = exceptions.get(id);
    if (named !== undefined && named.target === ours && named.drafter === theirs) {
      foreign.push(id);
      continue;
    }
    throw new DiffuSpecError({
      code: "ERR_VOCABULARY_MISMATCH",
      what: `Token id ${id} is ${show(ours)} to the target and ${absent ? "absent" : show(theirs)} to the drafter`,
      why: `speculative decoding compares ids, so both must share one vocabulary (sizes ${target.size} and ${drafter.size})`,
      next: "Use a drafter made with the target's tokenizer; where only special tokens differ, name them as exceptions.",
      details: { id, target: ours, drafter: theirs, targetSize: target.size, drafterSize: drafter.size },
    });
  }
  return foreign;
}

/** @throws ERR_OPTION */
function checkGate(gate: VocabularyGate, size: number) {
  refuseUnknown("the vocabulary gate", gate, ["exceptions", "window"]);
  const { exceptions = [], window = size } = gate;
  if (!Number.isInteger(window) || window < 1 || window > size)
    throw optionError("window", window, `an integer in 1..${size}`);
  if (!Array.isArray(exceptions)) throw optionError("exceptions", exceptions, "an array");
  const byId = new Map<number, VocabularyException>();
  for (const exception of exceptions) {
    const { id, target, drafter } = exception;
    if (!Number.isInteger(id) || id < 0 || byId.has(id) || target === drafter)
      throw optionError(
        "exceptions",
        exception,
        "a list of { id, target, drafter }, each id once, two pieces that differ",
      );
    byId.set(id, exception);
  }
  return { exceptions: byId, window };
}

const show = (piece: string | undefined) => (piece === undefined ? "unused" : JSON.stringify(piece));
