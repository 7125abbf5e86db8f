import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { availableParallelism, cpus, totalmem } from "node:os";
import { basename, isAbsolute } from "node:path";

export type Circumstances = ReturnType<typeof circumstances>;

/** What a number needs to be compared with another. `git` is "unknown" outside a repository. */
export function circumstances() {
  const [cpu] = cpus();
  return {
    date: new Date().toISOString(),
    git: revision(),
    // where files lie on this machine is nobody's business
    argv: process.argv.slice(2).map((given) => (isAbsolute(given) ? basename(given) : given)),
    node: process.version,
    onnxruntime: runtimeVersion(),
    machine: { cpu: cpu?.model, cores: availableParallelism(), memoryGiB: Math.round(totalmem() / 2 ** 30) },
  };
}

/** Of the package that computes every pass. */
function runtimeVersion(): string {
  const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
  return version;
}

function revision(): string {
  const git = (...args: string[]) =>
    execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    // result files that are written meanwhile change no figure
    return (
      git("rev-parse", "HEAD") +
      (git("status", "--porcelain", "--", ":/", ":(top,exclude)apps/bench/results") === "" ? "" : " (modified)")
    );
  } catch {
    return "unknown";
  }
}
