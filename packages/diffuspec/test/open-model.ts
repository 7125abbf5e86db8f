import { expect } from "vitest";
import type { GenerateEvent } from "../src/events.ts";
import { loadOver } from "../src/model.ts";
import type { LoadOptions } from "../src/options.ts";
import { connect, createFakeEngine } from "./fake-engine.ts";

/** A model over a fake engine, and what it talks to. */
export async function openModel(options: Partial<LoadOptions> = {}, onPass?: (pass: number) => void) {
  const engine = createFakeEngine(onPass);
  const link = connect(engine);
  const model = await loadOver(() => link, { drafter: "none", ...options });
  return { engine, link, model };
}

/** An error of that code. */
export const code = (expected: string) => expect.objectContaining({ code: expected });

/** A generation that does not end by itself. */
export const long = { maxTokens: 2000, logitBias: { 256: -1000 } };

export async function drain(events: AsyncIterable<GenerateEvent>): Promise<GenerateEvent[]> {
  const all: GenerateEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}
