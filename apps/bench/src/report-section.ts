import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** A result as a part of a Markdown file, with its plots. */
export interface Section {
  /** As the comments around it begin: "spec-bench". */
  readonly kind: string;
  /** Of the pair, and whatever else tells two sections of a kind apart. */
  readonly name: string;
  /** SVG by what it shows. */
  readonly images: Readonly<Record<string, string>>;
  /** @param link the address of an image */
  body(link: (image: string) => string): string;
}

/**
 * Puts a section into a Markdown file, between two comments that name it, and its plots into the folder beside it that has
 * the file's name. What else the file says stays. Gives the paths written.
 */
export function writeSection(out: string, { kind, name: given, images, body }: Section): string[] {
  const folder = out.replace(/\.md$/, "");
  if (folder === out) throw new Error(`--out is ${out}; it takes a Markdown file, as docs/benchmarks.md.`);
  const name = given.replace(/[^A-Za-z0-9._-]/g, "-");
  const file = (image: string) => `${name}-${image}.svg`;
  const paths = Object.keys(images).map((image) => join(folder, file(image)));
  mkdirSync(folder, { recursive: true });
  for (const [image, svg] of Object.entries(images)) writeFileSync(join(folder, file(image)), svg);

  const [begin, end] = [`<!-- ${kind} ${name}: begin -->`, `<!-- ${kind} ${name}: end -->`];
  const section = `${begin}\n${body((image) => `${basename(folder)}/${file(image)}`)}${end}`;
  const before = existsSync(out) ? readFileSync(out, "utf8") : "# Benchmarks\n";
  const [from, to] = [before.indexOf(begin), before.indexOf(end)];
  if ((from === -1) !== (to === -1) || to < from)
    throw new Error(`${out} has one of "${begin}" and "${end}" without the other. Restore or remove both.`);
  const text =
    from === -1
      ? `${before.trimEnd()}\n\n${section}\n`
      : before.slice(0, from) + section + before.slice(to + end.length);
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, text);
  return [out, ...paths];
}
