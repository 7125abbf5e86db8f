import { parseArgs } from "node:util";
import { readSection } from "./benchmarks-write.ts";
import { program } from "./program.ts";
import { writeSection } from "./report-section.ts";

const HELP = `npm run bench -- report FILE... --out docs/benchmarks.md

Turns result files of speed, ablations, anatomy, proof and spec-bench into a section each of a Markdown file, with plots in the folder of the same name
beside it. A section stands between two comments and is replaced; what else the file says stays.
`;

await program(async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { out: { type: "string" }, help: { type: "boolean", short: "h", default: false } },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  if (positionals.length === 0 || values.out === undefined) throw new Error(`Name result files and --out.\n\n${HELP}`);
  for (const file of positionals)
    for (const written of writeSection(values.out, readSection(file))) process.stdout.write(`${written}\n`);
});
