import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Verifier } from "@diffuspec/contracts";
import { createSampler, openSession } from "@diffuspec/spec-loop";
import { createByteTokenizer, createFakeVerifier, oracleDrafter, plainDecode } from "@diffuspec/testkit";
import { circumstances } from "../src/circumstances.ts";
import { readQuestions } from "../src/spec-bench-data.ts";
import type { Answer, Field } from "../src/spec-bench-methods.ts";
import type { MethodName } from "../src/spec-bench-names.ts";

/** Of a test file's own; it removes it. */
export const folder = mkdtempSync(join(tmpdir(), "diffuspec-spec-bench-"));

/** Questions of our own, in the benchmark's form: two of each task, those of "mt" with a second turn. */
export const LINES = [
  [1, "writing", "Tell of a lighthouse keeper who counts ships.", "Now tell it in one sentence."],
  [2, "math", "What is seven times eight?", "And half of that?"],
  [3, "translation", "Translate German to English: Der Fluss ist heute ruhig."],
  [4, "translation", "Translate German to English: Wir haben zwei Katzen."],
  [5, "summarization", "Summarize: The mill closed in spring. Its wheel still turns when the water is high."],
  [6, "summarization", "Summarize: A baker found a coin in the flour and gave it back."],
  [7, "qa", "Which metal is liquid at room temperature?"],
  [8, "qa", "How many legs has a spider?"],
  [9, "math_reasoning", "Ann has 3 boxes of 12 pens and gives 7 away. How many are left?"],
  [10, "math_reasoning", "A train needs 40 minutes for 60 km. How far in an hour?"],
  [11, "rag", "Tea is grown in hills.\nCoffee is grown too.\nWhere is tea grown?"],
  [12, "rag", "Ducks swim.\nHens do not.\nWhich bird swims?"],
].map(([question_id, category, ...turns]) => ({ question_id, category, turns }));
const DATA = join(folder, "question.jsonl");
writeFileSync(DATA, LINES.map((line) => `${JSON.stringify(line)}\n`).join(""));

export const honest = createFakeVerifier({ vocabularySize: 257, seed: 5, contextLength: 400, eosIds: [] });

/** A field of fakes that remembers what it was asked. */
export function fakeField({
  drafted = honest as Verifier,
  dieAfter = Number.POSITIVE_INFINITY,
  peers = undefined as Field["peers"],
} = {}) {
  const tokenizer = createByteTokenizer();
  const asked: { name: MethodName; prompt: string; length: number }[] = [];
  const answerWith = (name: MethodName, verifier: Verifier, session?: ReturnType<typeof openSession>) => ({
    name,
    async answer(prompt: Int32Array, maxTokens: number): Promise<Answer> {
      if (asked.length >= dieAfter) throw new Error("killed");
      asked.push({ name, prompt: tokenizer.decode(prompt), length: prompt.length });
      const parts = {
        accepted: 0,
        drafted: 0,
        reused: 0,
        draftMs: 1,
        searchMs: 0,
        verifyMs: 2,
        prefillMs: 1,
        decodeMs: 4,
      };
      if (name === "ar") {
        const { tokens } = await plainDecode(honest, prompt, createSampler({}, 257), { maxTokens });
        return { ...parts, ids: Int32Array.from(tokens), rounds: tokens.length, decodeMs: tokens.length - 1 };
      }
      session ??= openSession({ verifier, ...(name !== "arExact" && { drafter: oracleDrafter(honest.model) }) });
      for (const generation = (await session).generate(prompt, { maxTokens }); ; ) {
        const { done, value } = await generation.next();
        if (!done) continue;
        return { ...parts, ids: value.tokens, rounds: value.totals.rounds, decodeMs: value.totals.rounds - 1 };
      }
    },
  });
  const field: Field = {
    model: "test/fake",
    fingerprint: "f",
    contextLength: 400,
    eosIds: [],
    threads: 1,
    precision: "int8",
    arPrecision: "int8",
    contenders: [
      answerWith("ar", honest),
      answerWith("arExact", honest),
      answerWith("promptLookup", honest),
      answerWith("diffuspec", drafted),
    ],
    missing: [],
    ...(peers && { peers }),
    encode: (messages) => tokenizer.encode(messages.map((m) => `${m.role}: ${m.content}\n`).join("")),
    decode: (ids) => tokenizer.decode(ids),
    dispose: async () => {},
  };
  return { field, asked };
}

export const data = readQuestions(DATA);
export const options = { pair: "fake", data, perTask: 2, maxTokens: 24, draftLength: 8, sitting: circumstances() };
