import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { Engine } from "diffuspec/engine";
import { readPrompts } from "./prompts.ts";
import { chooseQuestions, readQuestions } from "./spec-bench-data.ts";

export interface SuitePrompt {
  readonly category: string;
  readonly text: string;
}

/** Prompts in an order that takes a category after the other, so that any beginning of it is balanced. */
export interface Suite {
  readonly name: string;
  /** Whether a prompt is what a user says, or the beginning of a text. */
  readonly chat: boolean;
  readonly prompts: readonly SuitePrompt[];
}

const OWN = (name: string) => fileURLToPath(new URL(`../prompts/${name}.json`, import.meta.url));

/**
 * --data: the first turns of Spec-Bench's questions, ten a task. --prompts: a file of JSON strings. Else prompts of our own:
 * instructions for a model with a chat template, code for one without.
 *
 * @throws an Error that names the file
 */
export function openSuite(given: { data?: string | undefined; prompts?: string | undefined }, chat: boolean): Suite {
  const { data, prompts } = given;
  if (data !== undefined && prompts !== undefined) throw new Error("--data and --prompts are two suites. Name one.");
  if (data !== undefined) {
    const questions = chooseQuestions(readQuestions(data).questions, 10);
    const all = questions.map(({ task, turns }) => ({ category: task, text: turns[0]! }));
    return { name: "spec-bench", chat: true, prompts: inTurns(all) };
  }
  if (prompts !== undefined) {
    const all = readPrompts(prompts).map((text) => ({ category: "prompts", text }));
    return { name: basename(prompts).replace(/\.jsonl$/, ""), chat, prompts: all };
  }
  const name = chat ? "instructions" : "code";
  return { name, chat, prompts: inTurns(readSuite(OWN(name))) };
}

export function encodeSuite({ prompts, chat }: Suite, engine: Engine): Int32Array[] {
  return prompts.map(({ text }) => engine.encode(chat ? { messages: [{ role: "user", content: text }] } : text));
}

function readSuite(file: string): SuitePrompt[] {
  const { categories } = JSON.parse(readFileSync(file, "utf8")) as { categories: Record<string, string[]> };
  return Object.entries(categories).flatMap(([category, texts]) => texts.map((text) => ({ category, text })));
}

/** The first `count` prompts; all where it is absent. */
export const takeFirst = (suite: Suite, count: number | undefined): Suite => ({
  ...suite,
  prompts: suite.prompts.slice(0, count),
});

/** The first of every category, then the second of every category. */
function inTurns(prompts: readonly SuitePrompt[]): SuitePrompt[] {
  const seen = new Map<string, number>();
  const ranked = prompts.map((prompt) => {
    const rank = seen.get(prompt.category) ?? 0;
    seen.set(prompt.category, rank + 1);
    return { prompt, rank };
  });
  return ranked.sort((a, b) => a.rank - b.rank).map(({ prompt }) => prompt);
}
