import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sha256 } from "./hash.ts";
import { createManifest, type DownloadOptions, type DownloadProgress, download, openModel } from "./index.ts";

let root: string;
let dir: string;
let server: Server;
let base: string;
let requests: string[];
/** Answers instead of the plain file server where it returns true. */
let special: (request: IncomingMessage, response: ServerResponse) => boolean;
const big = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) >> 3));

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "download-"));
  dir = join(root, "to");
  const from = join(root, "from");
  await mkdir(join(from, "sub"), { recursive: true });
  await writeFile(join(from, "a b.json"), "{}");
  await writeFile(join(from, "empty"), "");
  await writeFile(join(from, "sub", "big.bin"), big);
  await createManifest(from, { name: "org/tiny", extra: 1 });
  requests = [];
  special = () => false;
  server = createServer(async (request, response) => {
    const range = request.headers.range;
    requests.push(range ? `${request.url} ${range}` : request.url!);
    if (special(request, response)) return;
    const body = await readFile(join(from, decodeURIComponent(request.url!.replace("/hub/", "")))).catch(
      () => undefined,
    );
    if (!body) return void response.writeHead(404).end();
    const start = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    if (range) response.writeHead(206, { "content-range": `bytes ${start}-${body.length - 1}/${body.length}` });
    response.end(body.subarray(start));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hub`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  await rm(root, { recursive: true, force: true });
});

const get = (options: Partial<DownloadOptions> = {}) =>
  download({ name: "org/tiny", baseUrl: base, dir, ...options } as DownloadOptions);
const isBig = (request: IncomingMessage) => request.url!.endsWith("big.bin");
const cutAfter = (bytes: number) => {
  special = (request, response) => {
    if (!isBig(request)) return false;
    response.writeHead(200, { "content-length": big.length });
    response.write(big.subarray(0, bytes), () => setTimeout(() => response.destroy(), 50));
    return true;
  };
};

describe("download", () => {
  it("brings a whole model, tells how far it is, and fetches nothing twice", async () => {
    const seen: DownloadProgress[] = [];
    const { manifest } = await get({ onProgress: (progress) => seen.push(progress) });
    expect(manifest).toMatchObject({ name: "org/tiny", extra: 1 });
    expect(await (await openModel(dir)).read("sub/big.bin")).toEqual(new Uint8Array(big));
    expect(seen.at(-1)).toEqual({
      file: "sub/big.bin",
      fileDone: big.length,
      fileBytes: big.length,
      done: big.length + 2,
      total: big.length + 2,
    });
    seen.forEach((p, i) => {
      expect(p.done).toBeGreaterThanOrEqual(seen[i - 1]?.done ?? 0);
    });
    requests = [];
    await get();
    expect(requests).toEqual(["/hub/manifest.json"]);
    expect((await readdir(dir, { recursive: true })).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  it("goes on where it was cut off", async () => {
    cutAfter(100_000);
    await expect(get()).rejects.toMatchObject({ code: "ERR_MODEL_FILE_MISSING" });
    await expect(openModel(dir)).rejects.toMatchObject({ code: "ERR_MODEL_FILE_MISSING" });
    const held = (await readFile(join(dir, "sub", "big.bin.part"))).length;
    expect(held).toBeGreaterThan(0);
    special = () => false;
    requests = [];
    await get();
    expect(requests).toEqual(["/hub/manifest.json", `/hub/sub/big.bin bytes=${held}-`]);
    await openModel(dir);
  });

  it("begins anew where the server knows no ranges", async () => {
    await get();
    await rm(join(dir, "sub", "big.bin"));
    await writeFile(join(dir, "sub", "big.bin.part"), Buffer.alloc(1000));
    special = (request, response) => isBig(request) && !!response.end(big);
    await get();
    await openModel(dir);
  });

  it.each([416, 206])("begins anew where the server answers %i to a range", async (status) => {
    await mkdir(join(dir, "sub"), { recursive: true });
    await writeFile(join(dir, "sub", "big.bin.part"), big.subarray(0, 1000));
    special = (request, response) => isBig(request) && !!request.headers.range && !!response.writeHead(status).end("?");
    await get();
    await openModel(dir);
  });

  it("throws a wrong part away and fetches once more", async () => {
    await mkdir(join(dir, "sub"), { recursive: true });
    for (const part of [Buffer.alloc(1000), Buffer.alloc(big.length), Buffer.alloc(big.length + 1)]) {
      await writeFile(join(dir, "sub", "big.bin.part"), part);
      await get();
      await openModel(dir);
      await rm(join(dir, "sub", "big.bin"));
    }
  });

  it.each<[string, Buffer]>([
    ["another content", Buffer.alloc(big.length)],
    ["more bytes", Buffer.concat([big, big])],
  ])("refuses %s", async (_, body) => {
    special = (request, response) => isBig(request) && !!response.end(body);
    await expect(get()).rejects.toMatchObject({ code: "ERR_MODEL_FILE_ALTERED", details: { file: "sub/big.bin" } });
    expect(await readdir(join(dir, "sub")).then((names) => names.filter((name) => name === "big.bin"))).toEqual([]);
    await expect(openModel(dir)).rejects.toMatchObject({ code: "ERR_MODEL_FILE_MISSING" });
  });

  it("says what is not found, and what is refused", async () => {
    await expect(get({ baseUrl: `${base}/nowhere` })).rejects.toMatchObject({
      code: "ERR_MODEL_FILE_MISSING",
      message: expect.stringContaining("404"),
    });
    special = (_, response) => !!response.writeHead(500).end();
    await expect(get()).rejects.toMatchObject({ details: { status: 500 } });
  });

  it("says that nobody answers", async () => {
    await new Promise((done) => server.close(done));
    await expect(get()).rejects.toMatchObject({
      code: "ERR_MODEL_FILE_MISSING",
      message: expect.stringMatching(/cannot be reached \(ECONNREFUSED\).*Check the network/),
    });
  });

  it("does not wait for ever", async () => {
    special = () => true;
    await expect(get({ idleMs: 50 })).rejects.toMatchObject({
      code: "ERR_MODEL_FILE_MISSING",
      message: expect.stringContaining("50 ms"),
    });
    special = (request, response) => isBig(request) && response.writeHead(200).write("x");
    await expect(get({ idleMs: 50 })).rejects.toMatchObject({ message: expect.stringContaining("sent nothing") });
  });

  it("stops on abort and keeps what it has", async () => {
    const control = new AbortController();
    special = (request, response) =>
      isBig(request) && [response.writeHead(200).write(big.subarray(0, 50_000))].length > 0;
    const onProgress = ({ fileDone, file }: DownloadProgress) => {
      if (file === "sub/big.bin" && fileDone > 0) control.abort();
    };
    await expect(get({ signal: control.signal, onProgress })).rejects.toMatchObject({
      code: "ERR_ABORTED",
      name: "AbortError",
    });
    expect((await readFile(join(dir, "sub", "big.bin.part"))).length).toBeGreaterThan(0);
    await expect(get({ signal: control.signal })).rejects.toMatchObject({ code: "ERR_ABORTED" });
    special = () => false;
    await get();
    await openModel(dir);
  });

  it("takes files without a manifest", async () => {
    const files = [{ path: "weights/b.bin", url: `${base}/sub/big.bin`, bytes: big.length, sha256: sha256(big) }];
    await get({ baseUrl: undefined, files } as unknown as Partial<DownloadOptions>);
    expect((await openModel(dir)).manifest).toEqual({
      format: 1,
      name: "org/tiny",
      files: { "weights/b.bin": { bytes: big.length, sha256: sha256(big) } },
    });
  });

  it("pins the manifest, its name and its validity", async () => {
    const text = await readFile(join(root, "from", "manifest.json"));
    await get({ manifestSha256: sha256(text) });
    await expect(get({ manifestSha256: "0".repeat(64) })).rejects.toMatchObject({ code: "ERR_MODEL_FILE_ALTERED" });
    await expect(get({ name: "org/other" })).rejects.toMatchObject({ code: "ERR_MODEL_FILE_ALTERED" });
    special = (_, response) =>
      !!response.end('{"format":1,"name":"org/tiny","files":{"../x":{"bytes":1,"sha256":""}}}');
    await expect(get()).rejects.toMatchObject({ code: "ERR_PARSE" });
  });

  it("writes through no link that leads out", async () => {
    await mkdir(join(root, "outside"));
    await mkdir(dir);
    await symlink(join(root, "outside"), join(dir, "sub"));
    await expect(get()).rejects.toMatchObject({ code: "ERR_MODEL_FILE_ALTERED" });
    await rm(join(dir, "sub"));
    await mkdir(join(dir, "sub"));
    await symlink(join(root, "outside", "x"), join(dir, "sub", "big.bin.part"));
    await expect(get()).rejects.toThrow(/ELOOP/);
    expect(await readdir(join(root, "outside"))).toEqual([]);
  });

  it.each<[string, object]>([
    ["a bad name", { name: "tiny" }],
    ["a file URL", { baseUrl: "file:///etc" }],
    ["no URL", { baseUrl: "here" }],
    ["no patience", { idleMs: 0 }],
  ])("refuses %s", async (_, options) => {
    await expect(get(options)).rejects.toMatchObject({ code: "ERR_OPTION" });
  });
});
