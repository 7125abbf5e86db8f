/** One check of a conformance suite; `run` rejects where it fails. Fits the test function of any runner. */
export interface NamedCheck {
  readonly name: string;
  run(): Promise<void>;
}
