import { appendFileSync, existsSync, mkdirSync, readFileSync, truncateSync } from "node:fs";
import { dirname } from "node:path";
import type { Circumstances } from "./circumstances.ts";

/** What was measured so far, on disk after every record where there is a file. */
export interface Log<Entry> {
  readonly records: readonly Entry[];
  /** When, where and by which code, one for every start. */
  readonly sittings: readonly Circumstances[];
  add(record: Entry): void;
}

type Line<Entry> = { settings: object } | { sitting: Circumstances } | { record: Entry };

export interface LogOptions {
  readonly file: string | undefined;
  /** What must be equal for two sittings to make one run. */
  readonly settings: object;
  readonly sitting: Circumstances;
  /** Records of a complete run. */
  readonly total: number;
}

/**
 * Opens the log of a run, or goes on with the one that is there. A last line that a kill cut off is dropped; its record is
 * made again.
 *
 * @throws an Error where the file is that of another run, naming what differs
 */
export function openLog<Entry>({ file, settings, sitting, total }: LogOptions): Log<Entry> {
  const records: Entry[] = [];
  const sittings: Circumstances[] = [];
  const append = (line: Line<Entry>) => {
    if (file !== undefined) appendFileSync(file, `${JSON.stringify(line)}\n`);
  };
  const known = file !== undefined && existsSync(file) ? readLog<Entry>(file) : [];
  const [first, ...rest] = known;
  if (first === undefined) {
    if (file !== undefined) mkdirSync(dirname(file), { recursive: true });
    append({ settings });
  } else requireEqual(file!, "settings" in first ? first.settings : undefined, settings);
  for (const line of rest) {
    if ("sitting" in line) sittings.push(line.sitting);
    if ("record" in line) records.push(line.record);
  }
  if (records.length < total) {
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

function readLog<Entry>(file: string): Line<Entry>[] {
  const text = readFileSync(file, "utf8");
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  if (whole.length < text.length) truncateSync(file, Buffer.byteLength(whole));
  return whole
    .split("\n")
    .filter((line) => line !== "")
    .map((line, index) => {
      try {
        return JSON.parse(line) as Line<Entry>;
      } catch {
        throw new Error(`${file}:${index + 1} is damaged. Name another file, or delete this one.`);
      }
    });
}

function requireEqual(file: string, found: object = {}, wanted: object): void {
  const [there, here] = [new Map(Object.entries(found)), new Map(Object.entries(wanted))];
  for (const key of new Set([...here.keys(), ...there.keys()])) {
    const [old, own] = [JSON.stringify(there.get(key)), JSON.stringify(here.get(key))];
    if (old !== own)
      throw new Error(
        `${file} is of another run: its ${key} is ${shorten(old)}, here ${shorten(own)}. Name another file, or delete this one.`,
      );
  }
}

const shorten = (text = "missing") => (text.length > 80 ? `${text.slice(0, 77)}...` : text);
