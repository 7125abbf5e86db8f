import { library } from "../../tsup.base.ts";

/** The worker is a file of its own: the facade starts it by its address. `shims` gives CommonJS an import.meta.url. */
export default library({ entry: ["src/index.ts", "src/engine.ts", "src/worker.ts"], shims: true });
