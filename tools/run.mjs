import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));
export const PNPM = "pnpm@12.21.0";

/** Nothing we start may phone home, and no dependency may download at install. */
export const environment = {
  ...process.env,
  TURBO_TELEMETRY_DISABLED: "1",
  ONNXRUNTIME_NODE_INSTALL: "skip",
  CI: process.env.CI ?? "",
};

/**
 * Runs a command. `quiet` keeps its output back and prints it only where it fails; all of it goes to stderr, so that
 * stdout stays the caller's.
 */
export function run(command, args, { cwd = root, quiet = false, stdout = "stderr", env = environment } = {}) {
  return new Promise((resolve, reject) => {
    const out = stdout === "inherit" ? "inherit" : quiet ? "pipe" : process.stderr;
    const child = spawn(command, args, {
      cwd,
      env,
      stdio: ["ignore", out, quiet ? "pipe" : "inherit"],
      shell: process.platform === "win32",
    });
    const kept = [];
    child.stdout?.on("data", (chunk) => kept.push(chunk));
    child.stderr?.on("data", (chunk) => kept.push(chunk));
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) return resolve(Buffer.concat(kept).toString());
      process.stderr.write(Buffer.concat(kept));
      reject(new Error(`${command} ${args.join(" ")} ended with code ${code}`));
    });
  });
}

export const pnpm = (args, options) => run("npx", ["-y", PNPM, ...args], options);

/** Tells one line on a terminal, and stays silent elsewhere. */
export function say(line) {
  if (process.stderr.isTTY) process.stderr.write(`${line}\n`);
}

/** Ends the process with the failing command's name instead of a stack. */
export async function main(work) {
  try {
    await work();
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
