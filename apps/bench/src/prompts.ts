import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Prompts cut from packages that neither model, nor tokenizer, nor n-gram has seen. */
export const HELD_OUT = fileURLToPath(new URL("../prompts/held-out.jsonl", import.meta.url));

/** One JSON string a line. @throws an Error that names file and line */
export function readPrompts(file: string): string[] {
  const lines = readFileSync(file, "utf8").split("\n");
  const prompts = lines.flatMap((line, index) => {
    if (line.trim() === "") return [];
    let prompt: unknown;
    try {
      prompt = JSON.parse(line);
    } catch {
      // falls through: what JSON cannot read is no string either
    }
    if (typeof prompt !== "string" || prompt === "")
      throw new Error(`${file}:${index + 1} is not a JSON string. Write one prompt a line, quoted.`);
    return [prompt];
  });
  if (prompts.length === 0) throw new Error(`${file} holds no prompt. Write one JSON string a line.`);
  return prompts;
}
