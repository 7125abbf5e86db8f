import { DiffuSpecError } from "@diffuspec/contracts";

/** A package that is installed on demand; versions are pinned here and nowhere else. */
export interface PeerPackage {
  readonly name: string;
  readonly version: string;
  /** The module to import, within the package. */
  readonly entry: string;
  readonly dependencies: Readonly<Record<string, string>>;
  /** Packages of the dependencies that text on the CPU never calls: empty ones take their place. */
  readonly left: readonly string[];
  /** On disk, in MB, where it was tried (Linux, x64). */
  readonly megabytes: number;
}

const TRANSFORMERS = "4.3.1";
const LLAMA = "3.22.1";

/** node-llama-cpp's prebuilt binaries for the CPU, by platform and processor. */
const LLAMA_BINARIES: Readonly<Record<string, string>> = {
  "linux-x64": "@node-llama-cpp/linux-x64",
  "linux-arm64": "@node-llama-cpp/linux-arm64",
  "linux-arm": "@node-llama-cpp/linux-armv7l",
  "linux-riscv64": "@node-llama-cpp/linux-riscv64",
  "darwin-arm64": "@node-llama-cpp/mac-arm64-metal",
  "darwin-x64": "@node-llama-cpp/mac-x64",
  "win32-x64": "@node-llama-cpp/win-x64",
  "win32-arm64": "@node-llama-cpp/win-arm64",
};

/** @throws ERR_UNSUPPORTED where there is no prebuilt binary for this machine */
export function peerPackage(
  kind: "transformers.js" | "node-llama-cpp",
  machine = `${process.platform}-${process.arch}`,
): PeerPackage {
  if (kind === "transformers.js")
    return {
      name: "@huggingface/transformers",
      version: TRANSFORMERS,
      entry: "dist/transformers.node.mjs",
      dependencies: { "@huggingface/transformers": TRANSFORMERS },
      left: ["sharp", "onnxruntime-web"],
      megabytes: 310,
    };
  const binary = LLAMA_BINARIES[machine];
  if (binary === undefined)
    throw new DiffuSpecError({
      code: "ERR_UNSUPPORTED",
      what: `node-llama-cpp ${LLAMA} has no prebuilt binary for ${machine}`,
      why: "it is published for Linux, macOS and Windows on the usual processors, and nothing is compiled here",
      next: "Run on such a machine, or leave it out of --peers.",
    });
  return {
    name: "node-llama-cpp",
    version: LLAMA,
    entry: "dist/index.js",
    dependencies: { "node-llama-cpp": LLAMA, [binary]: LLAMA },
    left: [],
    megabytes: 85,
  };
}
