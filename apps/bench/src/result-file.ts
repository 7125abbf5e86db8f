import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** What `report` tells apart; files of `spec-bench` have none. */
export type Kind = "speed" | "ablations" | "anatomy" | "proof";

/** @param more what the result was made of */
export function writeResult(file: string, kind: Kind, result: object, more: object = {}): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ kind, result, ...more }, null, 1)}\n`);
}

/** Says how far a run is, where somebody watches. */
export function progressLine(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${line}\x1b[K`);
}
