export interface LengthRequest {
  /** Most draft tokens that could still be committed or fit: budget, context and node limits taken together. */
  readonly limit: number;
}

/** One round as a controller sees it. Lengths in tokens, times in milliseconds. */
export interface RoundObservation {
  /** The length the controller had asked for, after the limit; 0 where the drafter was skipped. */
  readonly length: number;
  /** Depth of the tree that was verified. */
  readonly drafted: number;
  /** L_gen of Eq. 9. */
  readonly generatedLength: number;
  /** L_acc of Eq. 9: accepted draft tokens, the bonus not counted. */
  readonly accepted: number;
  /** Rows of the verify pass. */
  readonly rows: number;
  readonly draftMs: number;
  readonly verifyMs: number;
}

/** Decides before each round how many tokens to draft. It sits in spec-loop: 0 skips the drafter altogether. */
export interface LengthController {
  readonly name: string;
  /** Forgets the last generation's averages; learnt costs may stay. */
  begin(): void;
  /** An integer >= 0; what exceeds the limit is cut by the loop and reported back in `length`. */
  next(request: LengthRequest): number;
  observe(round: RoundObservation): void;
}
