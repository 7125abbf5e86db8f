/**
 * The built packages in a real browser: the README example of each, in headless Chromium, from their ESM bundles, must print
 * what it prints in Node. Needs a build, and a Chromium: CHROMIUM_PATH, or one of the usual places. Skipped, with the
 * reason in its name, where either is missing.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env } from "node:process";
import { fileURLToPath } from "node:url";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const PACKAGES = ["ngram-scorer", "lattice", "cps", "adl"] as const;
const USUAL = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/snap/bin/chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

const built = (name: string) => join(root, "packages", name, "dist/index.js");
const executablePath = [env.CHROMIUM_PATH, ...USUAL].find((path) => path && existsSync(path));
const unbuilt = [...PACKAGES, "contracts"].filter((name) => !existsSync(built(name)));
const reason =
  unbuilt.length > 0
    ? ` (skipped: ${unbuilt.join(", ")} not built, run npm run setup)`
    : executablePath === undefined
      ? " (skipped: no Chromium; install one or set CHROMIUM_PATH)"
      : "";

/** The first js or ts block of a package's README. */
function example(name: string): string {
  const block = /```(?:js|ts)\n([\s\S]*?)```/.exec(readFileSync(join(root, "packages", name, "README.md"), "utf8"));
  if (!block) throw new Error(`packages/${name}/README.md has no example`);
  return block[1]!;
}

/** What console.log was given, in a form that both sides agree on. */
const RECORD = `
const printed = [];
const plain = (value) => ArrayBuffer.isView(value) ? [value.constructor.name, ...value] : Array.isArray(value) ? value.map(plain) : value;
console.log = (...values) => printed.push(values.map(plain));
`;

function page(name: string): string {
  const imports = Object.fromEntries(
    [...PACKAGES, "contracts"].map((one) => [`@diffuspec/${one}`, `/packages/${one}/dist/index.js`]),
  );
  return `<!doctype html><meta charset="utf-8"><script type="importmap">${JSON.stringify({ imports })}</script>
<script>${RECORD}; addEventListener("error", (event) => { window.outcome = { failed: String(event.message) }; });
addEventListener("unhandledrejection", (event) => { window.outcome = { failed: String(event.reason) }; });</script>
<script type="module">${example(name)}
window.outcome = { printed };</script>`;
}

/** Pages by package name, and the files of dist folders; nothing else. */
function serve(): Promise<Server> {
  const server = createServer((request, response) => {
    const path = new URL(request.url!, "http://localhost").pathname;
    const name = PACKAGES.find((one) => path === `/${one}`);
    if (name) return response.setHeader("content-type", "text/html").end(page(name));
    const file = join(root, path);
    if (!/^\/packages\/[\w-]+\/dist\/[\w.-]+\.js$/.test(path) || !existsSync(file))
      return response.writeHead(404).end();
    return response.setHeader("content-type", "text/javascript").end(readFileSync(file));
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

describe.skipIf(reason !== "")(`README examples in headless Chromium${reason}`, () => {
  let browser: Browser;
  let server: Server;
  const folder = mkdtempSync(join(tmpdir(), "browser-test-"));

  beforeAll(async () => {
    server = await serve();
    browser = await chromium.launch({ executablePath: executablePath!, args: ["--no-sandbox"], timeout: 60_000 });
    mkdirSync(join(folder, "node_modules/@diffuspec"), { recursive: true });
    for (const name of [...PACKAGES, "contracts"])
      symlinkSync(join(root, "packages", name), join(folder, "node_modules/@diffuspec", name), "junction");
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each(PACKAGES)("%s prints what it prints in Node", async (name) => {
    const tab = await browser.newPage();
    const missing: string[] = [];
    tab.on("response", (response) => response.status() >= 400 && missing.push(response.url()));
    await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}`);
    const handle = await tab.waitForFunction("window.outcome", undefined, { timeout: 20_000 });
    const outcome = (await handle.jsonValue()) as { printed: unknown[]; failed?: string };
    await tab.close();

    const file = join(folder, `${name}.mjs`);
    const put = "\nprocess.stdout.write(JSON.stringify({ printed }));\n";
    writeFileSync(join(folder, "record.mjs"), `${RECORD}globalThis.printed = printed;\n`);
    writeFileSync(file, `import "./record.mjs";\n${example(name)}${put}`);
    const node = JSON.parse(execFileSync(process.execPath, [file], { encoding: "utf8", timeout: 20_000 }));
    expect(outcome).toEqual(node);
    expect(missing.filter((url) => !url.endsWith("/favicon.ico"))).toEqual([]);
    expect(outcome.printed.length).toBeGreaterThan(0);
  });

  test("an example that fails is seen", async () => {
    const bad = await browser.newPage();
    await bad.route("**/adl", (route) =>
      route.fulfill({ contentType: "text/html", body: page("adl").replace("createAdl()", "createNothing()") }),
    );
    await bad.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/adl`);
    const handle = await bad.waitForFunction("window.outcome", undefined, { timeout: 20_000 });
    expect(await handle.jsonValue()).toHaveProperty("failed");
    await bad.close();
  });
});
