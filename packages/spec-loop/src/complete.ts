import type { GenerateOptions } from "./generate-options.ts";
import type { Completion, Generation } from "./loop.ts";
import { openSession, type SessionOptions } from "./session.ts";

/** Runs a generation to its end without looking at the rounds. */
export async function collect(generation: Generation): Promise<Completion> {
  for (;;) {
    const step = await generation.next();
    if (step.done) return step.value;
  }
}

/**
 * One completion in a session of its own.
 *
 * @example
 * const { tokens } = await complete({ verifier, drafter }, ids, { maxTokens: 64 });
 */
export async function complete(
  parts: SessionOptions,
  prompt: ArrayLike<number>,
  options: Partial<GenerateOptions> = {},
): Promise<Completion> {
  const session = await openSession(parts);
  try {
    return await collect(session.generate(prompt, options));
  } finally {
    await session.dispose();
  }
}
