import { DiffuSpecError, type LengthController, type RoundObservation } from "@diffuspec/contracts";

/** One round as a figure of L_gen and L_acc against k needs it. Lengths in tokens, times in milliseconds. */
export interface RoundLog {
  /** Generations that had begun before, and rounds of this one before. */
  readonly generation: number;
  readonly round: number;
  /** k_t: what was asked of the drafter; 0 where it was skipped. */
  readonly length: number;
  /** L_gen of Eq. 9: min(s - 1, k), s the first EOS of the raw draft. */
  readonly generated: number;
  /** L_acc of Eq. 9: accepted draft tokens, the bonus not counted. */
  readonly accepted: number;
  readonly rows: number;
  readonly draftMs: number;
  readonly verifyMs: number;
}

/** Called once a round, after the controller has learnt from it. What it throws ends the generation. */
export type OnRound = (log: RoundLog) => void;

/**
 * The same controller, with every round reported. Nothing is reported of a round that the controller refuses.
 *
 * @throws ERR_OPTION where `onRound` is no function
 * @example
 * const table = createLengthTable();
 * const controller = withRoundLog(createAdl(), table.add);
 */
export function withRoundLog(controller: LengthController, onRound: OnRound): LengthController {
  if (typeof onRound !== "function")
    throw new DiffuSpecError({
      code: "ERR_OPTION",
      what: `withRoundLog: onRound is ${String(onRound)}`,
      why: "it is a function that takes one round",
      next: "Pass a function, such as the add of createLengthTable().",
      details: { option: "onRound" },
    });
  let generation = -1;
  let round = 0;
  return {
    name: controller.name,
    begin() {
      controller.begin();
      generation++;
      round = 0;
    },
    next: (request) => controller.next(request),
    observe(observation: RoundObservation) {
      controller.observe(observation);
      const { length, generatedLength, accepted, rows, draftMs, verifyMs } = observation;
      const generated = Math.min(generatedLength, length);
      const of = Math.max(0, generation);
      onRound({ generation: of, round: round++, length, generated, accepted, rows, draftMs, verifyMs });
    },
  };
}

/** The rounds of one draft length: a point of each curve over k. */
export interface LengthRow {
  readonly length: number;
  readonly rounds: number;
  readonly meanGenerated: number;
  readonly meanAccepted: number;
  readonly meanDraftMs: number;
  readonly meanVerifyMs: number;
}

export interface LengthTable {
  readonly add: OnRound;
  /** By ascending length; lengths that never occurred are absent. */
  rows(): LengthRow[];
}

/** Mean L_gen and L_acc (and costs) by draft length k, as in the paper's motivation figure: run each k with createFixedLength(k). */
export function createLengthTable(): LengthTable {
  const sums = new Map<
    number,
    { rounds: number; generated: number; accepted: number; draftMs: number; verifyMs: number }
  >();
  return {
    add({ length, generated, accepted, draftMs, verifyMs }) {
      const sum = sums.get(length) ?? { rounds: 0, generated: 0, accepted: 0, draftMs: 0, verifyMs: 0 };
      sum.rounds++;
      sum.generated += generated;
      sum.accepted += accepted;
      sum.draftMs += draftMs;
      sum.verifyMs += verifyMs;
      sums.set(length, sum);
    },
    rows: () =>
      [...sums]
        .sort(([a], [b]) => a - b)
        .map(([length, { rounds, generated, accepted, draftMs, verifyMs }]) => ({
          length,
          rounds,
          meanGenerated: generated / rounds,
          meanAccepted: accepted / rounds,
          meanDraftMs: draftMs / rounds,
          meanVerifyMs: verifyMs / rounds,
        })),
  };
}
