import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync } from "node:fs";
import { dirname } from "node:path";
import type { Circumstances } from "./circumstances.ts";
import type { QuestionRecord } from "./spec-bench-run.ts";

/** What must be equal for two sittings to make one run. */
export interface Settings {
  readonly pair: string;
  readonly fingerprint: string;
  readonly dataSha256: string;
  readonly questions: readonly number[];
  readonly maxTokens: number;
  readonly methods: readonly string[];
  readonly draftLength: number;
  readonly precision: string;
  readonly threads: number;
  /** Names and versions; absent in a run without them. */
  readonly peers?: readonly string[];
}

/** What was measured so far, on disk after every question where there is a file. */
export interface Log {
  readonly records: readonly QuestionRecord[];
  /** When, where and by which code, one for every start. */
  readonly sittings: readonly Circumstances[];
  add(record: QuestionRecord): void;
}

type Line = { settings: Settings } | { sitting: Circumstances } | { record: QuestionRecord };

/**
 * Opens the log of a run, or goes on with the one that is there. A last line that a kill cut off is dropped; its question is
 * asked again.
 *
 * @throws an Error where the file is that of another run, naming what differs
 */
export function openLog(file: string | undefined, settings: Settings, sitting: Circumstances): Log {
  const records: QuestionRecord[] = [];
  const sittings: Circumstances[] = [];
  const append = (line: Line) => {
    if (file !== undefined) appendFileSync(file, `${JSON.stringify(line)}\n`);
  };
  const known = file !== undefined && existsSync(file) ? readLog(file) : [];
  const [first, ...rest] = known;
  if (first === undefined) {
    if (file !== undefined) mkdirSync(dirname(file), { recursive: true });
    append({ settings });
  } else requireEqual(file!, "settings" in first ? first.settings : undefined, settings);
  for (const line of rest) {
    if ("sitting" in line) sittings.push(line.sitting);
    if ("record" in line) records.push(line.record);
  }
  const finished = records.length === settings.questions.length;
  if (!finished) {
    sittings.push(sitting);
    append({ sitting });
  }
  return {
    records,
    sittings,
    add(record) {
      append({ record });
      records.push(record);
    },
  };
}

function readLog(file: string): Line[] {
  const text = readFileSync(file, "utf8");
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  if (whole.length < text.length) truncateSync(file, Buffer.byteLength(whole));
  return whole
    .split("\n")
    .filter((line) => line !== "")
    .map((line, index) => {
      try {
        return JSON.parse(line) as Line;
      } catch {
        throw new Error(`${file}:${index + 1} is damaged. Name another file, or delete this one.`);
      }
    });
}

function requireEqual(file: string, found: Settings | undefined, wanted: Settings): void {
  const keys = new Set([...Object.keys(wanted), ...Object.keys(found ?? {})] as (keyof Settings)[]);
  for (const key of keys) {
    const [there, here] = [JSON.stringify(found?.[key]), JSON.stringify(wanted[key])];
    if (there !== here)
      throw new Error(
        `${file} is of another run: its ${key} is ${shorten(there)}, here ${shorten(here)}. Name another file, or delete this one.`,
      );
  }
}

const shorten = (text = "missing") => (text.length > 80 ? `${text.slice(0, 77)}...` : text);
