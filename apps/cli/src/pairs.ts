import { type FoundPair, listPairs, locatePair, openRegistries, type PairEntry } from "@diffuspec/model-files";
import { EXIT } from "./exit.ts";
import { bytes, printJson } from "./report.ts";
import type { Terminal } from "./terminal.ts";

export interface PairsFlags {
  readonly registry?: string;
  readonly json?: boolean;
}

/** `diffuspec pairs`: what a registry says, and what of it is here. */
export async function pairsCommand(terminal: Terminal, { registry, json }: PairsFlags): Promise<number> {
  const pairs = await Promise.all(listPairs(await openRegistries(registry)).map(withPlace));
  if (json) printJson(terminal, { pairs });
  else terminal.stdout.write(`${pairs.map(describe).join("\n")}`);
  return EXIT.ok;
}

async function withPlace(pair: FoundPair) {
  const { entry, registry } = pair;
  return {
    ...entry,
    registry: registry.source,
    downloadBytes: downloadBytes(entry),
    /** The directory, the package that brings it, or null. */
    here: entry.source.kind === "package" ? entry.source.package : ((await locatePair(pair)) ?? null),
  };
}

const downloadBytes = ({ source }: PairEntry): number =>
  source.kind === "hub" ? source.target.bytes + (source.drafter?.bytes ?? 0) : 0;

function describe(pair: Awaited<ReturnType<typeof withPlace>>): string {
  const { name, title, target, drafter, source, measured, notMeasured, notes, here } = pair;
  const part = ({ model, licence, parameters }: PairEntry["target"]) =>
    `${model}, ${(parameters / 1e6).toFixed(0)}M parameters, ${licence}`;
  const fetching = source.kind === "hub" ? `diffuspec pull ${name} (about ${bytes(pair.downloadBytes)})` : "";
  const lines = [
    ["target", part(target)],
    ["drafter", drafter ? part(drafter) : "none of its own"],
    ["here", here ?? `no: ${[fetching, ...(pair.obtain ?? [])].filter(Boolean).join("; or ")}`],
    ...(measured?.map(({ what, value, unit, where }) => ["measured", `${value} ${unit}: ${what} (${where})`]) ?? [
      ["measured", notMeasured ?? ""],
    ]),
    ...(notes ? [["note", notes]] : []),
  ];
  return [name, `  ${title}`, ...lines.map(([key, value]) => `  ${key!.padEnd(9)} ${value}`), ""].join("\n");
}
