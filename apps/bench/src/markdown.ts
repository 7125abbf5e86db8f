import type { Circumstances } from "./circumstances.ts";

/** A Markdown table that also reads well in a terminal; the first column to the left, the others to the right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((_, i) => Math.max(3, ...[header, ...rows].map((row) => row[i]!.length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(" | ")} |`;
  const rule = `|${widths.map((width, i) => (i === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return [line(header), rule, ...rows.map(line)].join("\n");
}

/** Where a figure is not known. */
export const NONE = "-";

export const times = (value: number | null) => (value === null ? NONE : `${value.toFixed(2)}x`);
export const two = (value: number | null) => (value === null ? NONE : value.toFixed(2));
export const one = (value: number) => (Number.isFinite(value) ? value.toFixed(1) : NONE);
export const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
export const range = ([low, high]: readonly [number, number]) => `${low.toFixed(2)} to ${high.toFixed(2)}`;

/** Day, commits and machine, as a line. */
export function measuredAt(sittings: readonly Circumstances[]): string {
  const [first] = sittings;
  const { machine, node } = first ?? { machine: undefined, node: "?" };
  const code = [...new Set(sittings.map(({ git }) => git.replace(/^([0-9a-f]{10})[0-9a-f]+/, "$1")))].join(", ");
  return `${first?.date.slice(0, 10) ?? "?"}, commit ${code || "?"}, Node ${node}, ${machine?.cpu ?? "?"}, ${machine?.cores ?? "?"} cores, ${machine?.memoryGiB ?? "?"} GiB.`;
}

/** The sampler's settings, as a phrase. */
export function settingsOf(sampling: object): string {
  const said = Object.entries(sampling).map(([key, value]) => `${key} ${value}`);
  return said.join(", ") || "greedy";
}
