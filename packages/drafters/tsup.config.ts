import { library } from "../../tsup.base.ts";

export default library({
  entry: ["src/index.ts", "src/cascade/index.ts", "src/prompt-lookup/index.ts", "src/recycling/index.ts"],
});
