import { library } from "../../tsup.base.ts";

/** A program, not a library: one ESM file, started by its shebang. */
export default library({ entry: ["src/main.ts"], format: ["esm"], dts: false });
