import { library } from "../../tsup.base.ts";

/** The command is a file of its own; only the library has declarations. */
export default library({
  entry: ["src/index.ts", "src/main.ts"],
  dts: { entry: "src/index.ts", compilerOptions: { ignoreDeprecations: "6.0" } },
});
