import { DiffuSpecError } from "@diffuspec/contracts";

export interface LatticeOptions {
  /** Probability mass a position's candidates should reach, 0 < tau <= 1. */
  readonly tau?: number;
  /** M_max: most candidates of a position, reached or not. */
  readonly maxCandidates?: number;
  /** Ids that end a text. */
  readonly eosIds?: readonly number[];
  /** Ids that are never candidates: the drafter's mask id, padding. */
  readonly struckIds?: readonly number[];
  /** Ids from here on are struck too: what the drafter knows and the target does not. */
  readonly targetVocabularySize?: number;
  /**
   * True keeps the best EOS among the top `maxCandidates` of a position even where tau cut it off; it is then the last
   * candidate. An EOS that ranks lower is not kept.
   */
  readonly keepEos?: boolean;
  /**
   * Where the lattice ends (the position that ends it is its last).
   * "argmax": at the first position whose most probable token is an EOS.
   * "candidate": at the first position with an EOS among its candidates before `keepEos` adds one.
   */
  readonly stopAt?: "argmax" | "candidate";
  /**
   * Calibration temperature of every position, from fitTemperatures(); later positions take the last one. Empty: none. They
   * act among the best `maxCandidates` of a position and "any other token", before tau.
   */
  readonly temperatures?: readonly number[];
}

/** The paper's constants with our EOS rule: a merely possible EOS is a candidate and does not end the lattice. */
export const LATTICE_DEFAULTS: Required<LatticeOptions> = {
  tau: 0.8,
  maxCandidates: 15,
  eosIds: [],
  struckIds: [],
  targetVocabularySize: 2 ** 24,
  keepEos: true,
  stopAt: "argmax",
  temperatures: [],
};

/**
 * The paper's "always keep EOS; stop expanding after the first EOS", in the one reading that does not end every lattice at
 * its first position: an EOS that tau lets in ends it, one that is only kept by force does not.
 */
export const LATTICE_PAPER = { ...LATTICE_DEFAULTS, stopAt: "candidate" } as const satisfies LatticeOptions;

const isId = (id: number) => Number.isInteger(id) && id >= 0 && id <= 2 ** 24;

/** @throws ERR_OPTION naming the first bad option. */
export function latticeOptions(options: LatticeOptions): Required<LatticeOptions> {
  const all = { ...LATTICE_DEFAULTS, ...options };
  const refuse = (name: keyof LatticeOptions, value: unknown, why: string) =>
    new DiffuSpecError({
      code: "ERR_OPTION",
      what: `lattice option ${name} is ${String(value)}`,
      why,
      next: "LATTICE_DEFAULTS of @diffuspec/lattice shows a valid set.",
      details: { option: name, value },
    });
  for (const name of Object.keys(options))
    if (!(name in LATTICE_DEFAULTS)) throw refuse(name as keyof LatticeOptions, "given", "there is no such option");
  if (!(all.tau > 0 && all.tau <= 1)) throw refuse("tau", all.tau, "it is a probability mass, 0 < tau <= 1");
  if (!Number.isInteger(all.maxCandidates) || all.maxCandidates < 1 || all.maxCandidates > 1024)
    throw refuse("maxCandidates", all.maxCandidates, "it is an integer in 1..1024");
  for (const name of ["eosIds", "struckIds"] as const) {
    if (!Array.isArray(all[name])) throw refuse(name, all[name], "it is an array of token ids");
    for (const id of all[name]) if (!isId(id)) throw refuse(name, id, "a token id is an integer in 0..2^24");
  }
  if (!isId(all.targetVocabularySize) || all.targetVocabularySize === 0)
    throw refuse("targetVocabularySize", all.targetVocabularySize, "it is an integer in 1..2^24");
  if (typeof all.keepEos !== "boolean") throw refuse("keepEos", all.keepEos, "it is true or false");
  if (all.stopAt !== "argmax" && all.stopAt !== "candidate")
    throw refuse("stopAt", all.stopAt, 'it is "argmax" or "candidate"');
  if (!Array.isArray(all.temperatures))
    throw refuse("temperatures", all.temperatures, "it is an array of temperatures");
  for (const t of all.temperatures)
    if (!(t >= 0.01 && t <= 100)) throw refuse("temperatures", t, "a temperature is a number in 0.01..100");
  const struck = all.eosIds.find((id) => all.struckIds.includes(id) || id >= all.targetVocabularySize);
  if (struck !== undefined) throw refuse("eosIds", struck, "that id is struck, so it could never end a lattice");
  return all;
}

/** A constant-time "is this id in the set" for ids of any size. */
export function idSet(ids: readonly number[]): Uint8Array {
  const set = new Uint8Array(ids.length === 0 ? 0 : Math.max(...ids) + 1);
  for (const id of ids) set[id] = 1;
  return set;
}
