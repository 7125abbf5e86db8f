import { DiffuSpecError } from "@diffuspec/contracts";

/** The error of a caller, or of a checked part, that broke its contract. */
export function broken(why: string, details: Record<string, unknown> = {}): DiffuSpecError {
  return new DiffuSpecError({
    code: "ERR_CONTRACT",
    what: "A contract was broken",
    why,
    next: "See the docstring of the interface in @diffuspec/contracts.",
    details,
  });
}

/** @throws ERR_CONTRACT with `why` unless `holds`. */
export function check(holds: boolean, why: string, details?: Record<string, unknown>): asserts holds {
  if (!holds) throw broken(why, details);
}

/** @throws ERR_CONTRACT unless the call throws (or rejects with) an error of this code. */
export async function checkThrows(code: string, call: () => unknown, why: string): Promise<void> {
  let thrown: unknown;
  try {
    await call();
  } catch (error) {
    thrown = error;
  }
  const found = thrown === undefined ? "nothing" : ((thrown as { code?: string }).code ?? String(thrown));
  check(found === code, `${why} must throw ${code}, not ${found}`);
}
