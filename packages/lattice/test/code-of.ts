import { isDiffuSpecError } from "@diffuspec/contracts";

/** The code of the error that `run` throws; "no error" where it throws none. */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return isDiffuSpecError(error) ? error.code : String(error);
  }
  return "no error";
}
