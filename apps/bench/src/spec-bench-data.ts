import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** The six tasks of Spec-Bench, in the order of its paper's table. */
export const TASKS = ["mt", "translation", "summarization", "qa", "math_reasoning", "rag"] as const;
export type Task = (typeof TASKS)[number];

/** MT-bench's categories, which make up the task "mt". Its category "math" is not the task math_reasoning. */
const MT = ["writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities"];

export interface Question {
  readonly id: number;
  readonly task: Task;
  /** What the user says, turn by turn. */
  readonly turns: readonly string[];
}

export interface Questions {
  /** SHA-256 of the file. */
  readonly sha256: string;
  readonly questions: readonly Question[];
}

/**
 * Reads Spec-Bench's question.jsonl: one object a line with question_id, category and turns; other fields are not looked at.
 *
 * @throws an Error that names file and line
 */
export function readQuestions(file: string): Questions {
  const text = readFileSync(file, "utf8");
  const questions: Question[] = [];
  const seen = new Set<number>();
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const refuse = (why: string) => new Error(`${file}:${index + 1} is no question of Spec-Bench: ${why}.`);
    const { question_id: id, category, turns } = parse(line, refuse);
    if (!Number.isInteger(id)) throw refuse("its question_id is no integer");
    if (seen.has(id as number)) throw refuse(`the question_id ${id} was there before`);
    seen.add(id as number);
    const task = typeof category === "string" && MT.includes(category) ? "mt" : TASKS.find((name) => name === category);
    if (task === undefined) throw refuse(`there is no category ${JSON.stringify(category)}`);
    if (!Array.isArray(turns) || turns.length === 0 || !turns.every((turn) => typeof turn === "string" && turn !== ""))
      throw refuse("its turns are no list of texts");
    questions.push({ id: id as number, task, turns });
  }
  if (questions.length === 0) throw new Error(`${file} holds no question. Write one JSON object a line.`);
  return { sha256: createHash("sha256").update(text).digest("hex"), questions };
}

/** `count` questions of every task, evenly spaced over those there are; all of a task that has fewer. */
export function chooseQuestions(questions: readonly Question[], count: number): Question[] {
  return TASKS.flatMap((task) => {
    const all = questions.filter((question) => question.task === task);
    const taken = Math.min(count, all.length);
    return Array.from({ length: taken }, (_, i) => all[Math.floor((i * all.length) / taken)]!);
  });
}

function parse(line: string, refuse: (why: string) => Error): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // falls through: what JSON cannot read is no object either
  }
  throw refuse("it is no JSON object");
}
