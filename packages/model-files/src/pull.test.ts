import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sha256 } from "./hash.ts";
import { type DownloadProgress, type HubFile, type HubFiles, type PullOptions, pullFiles } from "./index.ts";

/** A hub as the real one behaves: small files itself, with git's hash; large ones by a redirect to another host. */
const small = Buffer.from('{"a":1}');
const big = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) >> 3));
const index = Buffer.from('{"weight_map":{"x":"s-1.safetensors","y":"s-2.safetensors","z":"s-1.safetensors"}}');
const stored: Record<string, Buffer> = {
  "config.json": small,
  "model.safetensors": big,
  "index.json": index,
  "s-1.safetensors": big,
  "s-2.safetensors": big.subarray(5),
};
const large = (name: string) => name.endsWith(".safetensors");
const gitSha1 = (bytes: Buffer) => createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");

interface Seen {
  readonly host: "hub" | "cdn";
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly token: string | undefined;
}

let dir: string;
let servers: Server[];
let hubUrl: string;
let cdnUrl: string;
let seen: Seen[];
/** Answers in place of the hub or its store where it returns true. */
let special: (request: Seen, response: ServerResponse) => boolean;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "pull-"));
  servers = [];
  seen = [];
  special = () => false;
  const start = async (host: Seen["host"], answer: (request: IncomingMessage, response: ServerResponse) => void) => {
    const server = createServer((request, response) => {
      const { range, authorization: token } = request.headers;
      const one = { host, method: request.method!, path: decodeURIComponent(request.url!), range, token };
      seen.push(one);
      if (!special(one, response)) answer(request, response);
    });
    servers.push(server);
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  cdnUrl = await start("cdn", (request, response) => send(stored[request.url!.slice(1)]!, request, response));
  hubUrl = await start("hub", (request, response) => {
    const name = request.url!.replace("/org/name/resolve/main/", "");
    const body = stored[name];
    if (!body) return void response.writeHead(404).end();
    if (!large(name)) {
      response.setHeader("etag", `W/"${gitSha1(body)}"`);
      return send(body, request, response);
    }
    response.writeHead(302, {
      location: `${cdnUrl}/${name}`,
      "x-linked-size": body.length,
      "x-linked-etag": `"${sha256(body)}"`,
    });
    response.end();
  });
});
afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
  await rm(dir, { recursive: true, force: true });
});

function send(body: Buffer, request: IncomingMessage, response: ServerResponse): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  response.setHeader("content-length", body.length - start);
  if (request.headers.range)
    response.writeHead(206, { "content-range": `bytes ${start}-${body.length - 1}/${body.length}` });
  response.end(request.method === "HEAD" ? undefined : body.subarray(start));
}

const both = [{ path: "config.json" }, { path: "model.safetensors" }];
const source = (files: readonly HubFile[]): HubFiles => ({
  repository: "org/name",
  format: "safetensors",
  files,
  bytes: 1,
});
const pull = (files: readonly HubFile[] = both, more: Partial<PullOptions> = {}) =>
  pullFiles({ source: source(files), dir, hub: { url: hubUrl, token: "secret" }, retryMs: 0, ...more });
const names = async () => (await readdir(dir, { recursive: true })).sort();
/** The store sends so many bytes of every answer and hangs up. */
const cutAfter = (bytes: number) => {
  special = ({ host, range }, response) => {
    if (host !== "cdn") return false;
    const start = Number(/\d+/.exec(range ?? "0")![0]);
    const body = big.subarray(start);
    const headers = {
      "content-length": body.length,
      "content-range": `bytes ${start}-${big.length - 1}/${big.length}`,
    };
    response.writeHead(range ? 206 : 200, headers);
    response.write(body.subarray(0, bytes), () => setTimeout(() => response.destroy(), 20));
    return true;
  };
};

describe("pull", () => {
  it("brings every file, says by what each was checked, and fetches nothing twice", async () => {
    const progress: DownloadProgress[] = [];
    const files = await pull(both, { onProgress: (one) => progress.push(one) });
    expect(files).toEqual([
      { path: "config.json", bytes: small.length, sha256: sha256(small), check: "hub git sha1", fetched: true },
      { path: "model.safetensors", bytes: big.length, sha256: sha256(big), check: "hub sha256", fetched: true },
    ]);
    expect(await readFile(join(dir, "model.safetensors"))).toEqual(big);
    const total = big.length + small.length;
    expect(progress.at(-1)).toMatchObject({ file: "model.safetensors", done: total, total });
    seen = [];
    expect((await pull()).map(({ fetched }) => fetched)).toEqual([false, false]);
    expect(seen.map(({ method }) => method)).toEqual(["HEAD", "HEAD"]);
    expect(await names()).toEqual(["config.json", "model.safetensors"]);
  });

  it("sends the token to the hub, and never where it is passed on to", async () => {
    await pull();
    const of = (host: Seen["host"]) => seen.filter((one) => one.host === host).map(({ token }) => token);
    expect(new Set(of("hub"))).toEqual(new Set(["Bearer secret"]));
    expect(of("cdn").length).toBeGreaterThan(0);
    expect(new Set(of("cdn"))).toEqual(new Set([undefined]));
  });

  it("follows a repository that was renamed on the same host, with the token", async () => {
    special = ({ host, path }, response) => {
      if (host !== "hub" || !path.startsWith("/org/name/")) return false;
      const moved = path.replace("/org/name/", "/new/name/");
      return !!response.writeHead(307, { location: moved }).end();
    };
    await expect(pull([{ path: "config.json" }])).rejects.toMatchObject({ details: { status: 404 } });
    expect(seen.map(({ path, token }) => [path, token])).toContainEqual([
      "/new/name/resolve/main/config.json",
      "Bearer secret",
    ]);
  });

  it("goes on where a transfer broke, within the call", async () => {
    cutAfter(100_000);
    expect((await pull()).at(-1)).toMatchObject({ check: "hub sha256" });
    const ranges = seen.filter(({ host }) => host === "cdn").map(({ range }) => range);
    expect(ranges[0]).toBeUndefined();
    expect(ranges.length).toBeGreaterThan(2);
    expect(ranges.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range!))).toBe(true);
    expect(await readFile(join(dir, "model.safetensors"))).toEqual(big);
  });

  it("leaves the part where it gives up, and the next call goes on", async () => {
    cutAfter(100_000);
    await expect(pull(both, { retries: 0 })).rejects.toMatchObject({
      code: "ERR_MODEL_FILE_MISSING",
      message: expect.stringMatching(/run the same again/i),
    });
    expect(await names()).toEqual(["config.json", "model.safetensors.part"]);
    const held = (await readFile(join(dir, "model.safetensors.part"))).length;
    special = () => false;
    await pull();
    expect(seen.at(-1)).toMatchObject({ host: "cdn", range: `bytes=${held}-` });
    expect(await readFile(join(dir, "model.safetensors"))).toEqual(big);
  });

  it("begins anew where the part was of another version", async () => {
    await writeFile(join(dir, "model.safetensors.part"), Buffer.alloc(1000, 7));
    await pull();
    expect(await readFile(join(dir, "model.safetensors"))).toEqual(big);
  });

  it("holds the registry's hash above the hub's, before anything is fetched", async () => {
    const right = [{ path: "model.safetensors", bytes: big.length, sha256: sha256(big) }];
    expect((await pull(right))[0]).toMatchObject({ check: "registry sha256" });
    await rm(join(dir, "model.safetensors"));
    seen = [];
    for (const file of [
      { ...right[0]!, sha256: "0".repeat(64) },
      { ...right[0]!, bytes: 5 },
    ])
      await expect(pull([file])).rejects.toMatchObject({ code: "ERR_MODEL_FILE_ALTERED" });
    expect(seen.every(({ method }) => method === "HEAD")).toBe(true);
    expect(await names()).toEqual([]);
  });

  it.each<[string, string, HubFile]>([
    ["its sha256", "model.safetensors", { path: "model.safetensors" }],
    ["git's hash", "config.json", { path: "config.json" }],
    ["the registry's sha256", "config.json", { path: "config.json", sha256: sha256(small) }],
  ])("keeps nothing of a file that is not the one of %s", async (_, name, file) => {
    const body = Buffer.alloc(stored[name]!.length, 3);
    special = ({ method, host, path }, response) => {
      if (method === "HEAD" || (host === "hub" && large(path))) return false;
      response.end(body);
      return true;
    };
    await expect(pull([file])).rejects.toMatchObject({ code: "ERR_MODEL_FILE_ALTERED", details: { file: name } });
    expect(await names()).toEqual([]);
  });

  it("says so where only the size could be checked, and goes on from no part then", async () => {
    special = (request, response) => {
      if (request.host !== "hub" || large(request.path)) return false;
      response.setHeader("content-length", small.length);
      response.end(request.method === "HEAD" ? undefined : small);
      return true;
    };
    await writeFile(join(dir, "config.json.part"), "XXX");
    expect(await pull([{ path: "config.json" }])).toMatchObject([{ check: "size", fetched: true }]);
    expect(await readFile(join(dir, "config.json"))).toEqual(small);
  });

  it("fetches the shards that an index names", async () => {
    const files = await pull([{ path: "config.json" }, { path: "index.json", shards: true }]);
    expect(files.map(({ path }) => path)).toEqual(["config.json", "index.json", "s-1.safetensors", "s-2.safetensors"]);
  });

  it.each(['{"weight_map":{"x":"../x.safetensors"}}', '{"weight_map":{"x":"x.py"}}', "[]", "{"])(
    "refuses the index %s",
    async (text) => {
      special = ({ path, method }, response) => {
        if (!path.endsWith("index.json")) return false;
        response.setHeader("content-length", text.length);
        response.end(method === "HEAD" ? undefined : text);
        return true;
      };
      await expect(pull([{ path: "index.json", shards: true }])).rejects.toMatchObject({ code: "ERR_PARSE" });
    },
  );

  it.each([
    [404, /Check the model's name/],
    [401, /HF_TOKEN/],
    [503, /Run the same again/],
  ])("explains %i", async (status, said) => {
    special = (_, response) => !!response.writeHead(status).end();
    await expect(pull()).rejects.toMatchObject({
      code: "ERR_MODEL_FILE_MISSING",
      message: expect.stringMatching(said),
      details: { status },
    });
  });

  it("says what was tried and what else to do where nobody answers", async () => {
    for (const server of servers) await new Promise((done) => server.close(done));
    await expect(pull(both, { instead: "Or run npm run smollm2." })).rejects.toMatchObject({
      code: "ERR_MODEL_FILE_MISSING",
      message: expect.stringMatching(/127\.0\.0\.1:\d+ cannot be reached \(ECONNREFUSED\).*npm run smollm2/),
    });
    servers = [];
  });

  it("goes round in no circle, and leaves https for nothing", async () => {
    special = ({ path }, response) => !!response.writeHead(302, { location: path }).end();
    await expect(pull()).rejects.toMatchObject({ message: expect.stringContaining("more than 8 times") });
    const fetch = async () => new Response(null, { status: 302, headers: { location: "http://127.0.0.1:9/x" } });
    const asking = pullFiles({ source: source(both), dir, hub: { url: "https://hub.example" }, fetch });
    await expect(asking).rejects.toMatchObject({ code: "ERR_MODEL_FILE_MISSING" });
  });

  it("tells its token to no host over plain http but this machine", async () => {
    const tokens: unknown[] = [];
    const fetch = async (_: string, init: { headers?: Record<string, string> }) => {
      tokens.push(init.headers?.authorization);
      return new Response(null, { status: 404 });
    };
    for (const url of ["http://hub.example", "https://hub.example", "http://localhost:9"])
      await pullFiles({ source: source(both), dir, hub: { url, token: "t" }, fetch }).catch(() => {});
    expect(tokens).toEqual([undefined, "Bearer t", "Bearer t"]);
  });

  it("stops on abort and keeps what it has", async () => {
    const control = new AbortController();
    special = ({ host }, response) =>
      host === "cdn" && [response.writeHead(200).write(big.subarray(0, 50_000))].length > 0;
    const onProgress = ({ fileDone, file }: DownloadProgress) => {
      if (file === "model.safetensors" && fileDone > 0) control.abort();
    };
    await expect(pull(both, { signal: control.signal, onProgress })).rejects.toMatchObject({ code: "ERR_ABORTED" });
    expect(await names()).toEqual(["config.json", "model.safetensors.part"]);
    special = () => false;
    await pull();
    expect(seen.at(-1)!.range).toMatch(/^bytes=/);
  });
});
