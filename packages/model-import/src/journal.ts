import { appendFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { StoredTensor } from "./weights/weight-index.ts";

/** What an import has finished so far, a line a tensor, so that one that was stopped goes on where it was. */
export interface Journal {
  /** Tensors of a weight file that an earlier run finished. */
  finished(file: string): readonly StoredTensor[];
  add(file: string, tensor: StoredTensor): Promise<void>;
  /** Removes the journal: the import is complete. */
  remove(): Promise<void>;
}

const NAME = "journal.jsonl";

/**
 * Opens the journal of a folder. One that was written for anything else than `key` (another source, other options) is
 * thrown away together with all that lies in the folder.
 */
export async function openJournal(dir: string, key: string): Promise<Journal> {
  const path = join(dir, NAME);
  const [first, ...lines] = (await readFile(path, "utf8").catch(() => "")).split("\n");
  const head = JSON.stringify({ key });
  const known = first === head;
  if (!known) {
    await rm(dir, { recursive: true, force: true });
    await mkdir(dir, { recursive: true });
    await writeFile(path, `${head}\n`);
  }
  const entries = known ? lines.slice(0, -1).flatMap(parseLine) : []; // what follows the last newline was cut off
  if (known) await writeFile(path, [head, ...entries.map((entry) => JSON.stringify(entry)), ""].join("\n"));
  return {
    finished: (file) => entries.filter((entry) => entry.file === file).map(({ tensor }) => tensor),
    add: (file, tensor) => appendFile(path, `${JSON.stringify({ file, tensor })}\n`),
    remove: () => rm(path),
  };
}

interface Entry {
  readonly file: string;
  readonly tensor: StoredTensor;
}

function parseLine(line: string): Entry[] {
  try {
    return [JSON.parse(line) as Entry];
  } catch {
    return [];
  }
}
