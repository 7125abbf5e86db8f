import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createApp, type Listening, listen } from "../src/index.ts";
import { createFakeModel, deferred, type FakeScript, until } from "./fake-model.ts";

const open: Listening[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(open.splice(0).map((server) => server.close({ graceMs: 0 })));
});

async function setup(script?: FakeScript) {
  const model = createFakeModel(script);
  const failures: unknown[] = [];
  const server = await listen(createApp({ model, onError: (error) => failures.push(error) }), { port: 0 });
  open.push(server);
  return { model, server, failures, port: Number(new URL(server.url).port) };
}

/** A socket of our own, and all it has heard so far. */
function dial(port: number) {
  const socket = connect(port, "127.0.0.1");
  const peer = { socket, heard: "", closed: false };
  socket.on("data", (data) => (peer.heard += data.toString()));
  socket.on("error", () => {});
  socket.on("close", () => (peer.closed = true));
  sockets.push(socket);
  return peer;
}

function post(port: number, fields: object = {}, headers = "Host: 127.0.0.1") {
  const body = JSON.stringify({ model: "fake", prompt: "hello", ...fields });
  const peer = dial(port);
  peer.socket.write(
    `POST /v1/completions HTTP/1.1\r\n${headers}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  return peer;
}

const status = (heard: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(heard)?.[1]);

describe("a client that leaves", () => {
  it.each([true, false])("ends the generation within one round, stream: %s", async (stream) => {
    const gates = Array.from({ length: 4 }, deferred);
    const { model, port } = await setup({ endless: true, gate: (round) => gates[round]!.promise });
    const peer = post(port, { stream });
    gates[0]!.resolve();
    gates[1]!.resolve();
    await until(() => model.calls[0]?.rounds === 2 && (!stream || peer.heard.includes('"x"')));
    const { signal } = model.calls[0]!.options;
    peer.socket.destroy();
    await until(() => signal.aborted);
    gates[2]!.resolve();
    await until(() => model.calls[0]!.outcome !== "running");
    expect(model.calls[0]).toMatchObject({ outcome: "aborted", rounds: 2 });
  });

  it("ends a generation that has given nothing yet, as one that waits in the queue", async () => {
    const never = deferred();
    const { model, port } = await setup({ gate: () => never.promise });
    const peer = post(port, { stream: true });
    await until(() => model.calls.length === 1);
    expect(peer.heard).toBe("");
    peer.socket.destroy();
    await until(() => model.calls[0]!.options.signal.aborted);
    never.resolve();
    await until(() => model.calls[0]!.outcome === "aborted");
  });

  it("starts nothing, and is no failure, where it left before its body was whole", async () => {
    const { model, port, failures } = await setup();
    const peer = dial(port);
    peer.socket.write("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{");
    await new Promise((resolve) => setTimeout(resolve, 20));
    peer.socket.destroy();
    expect(status((await until200(port)).heard)).toBe(200);
    expect(model.calls.length).toBe(1);
    expect(failures).toEqual([]);
  });

  it("is not what a normal end looks like, nor the end of a connection after it", async () => {
    const { model, port } = await setup();
    for (const stream of [true, false]) {
      const peer = post(port, { stream });
      await until(() => peer.heard.includes(stream ? "[DONE]" : '"usage"'));
      peer.socket.destroy();
    }
    await until200(port);
    expect(model.calls.map((call) => [call.outcome, call.options.signal.aborted])).toEqual(
      Array(3).fill(["done", false]),
    );
  });

  it("does not disturb the others: 40 streams, every fourth cut", async () => {
    const { model, port } = await setup({ pieces: Array.from({ length: 50 }, (_, i) => `<${i}>`) });
    const peers = Array.from({ length: 40 }, (_, i) => ({
      ...{ cut: i % 4 === 0 },
      peer: post(port, { stream: true }),
    }));
    for (const { cut, peer } of peers) if (cut) peer.socket.once("data", () => peer.socket.destroy());
    await until(() => peers.every(({ cut, peer }) => (cut ? peer.closed : peer.heard.includes("[DONE]"))));
    await until(() => model.calls.every((call) => call.outcome !== "running"));
    const whole = Array.from({ length: 50 }, (_, i) => `<${i}>`).join("");
    for (const { cut, peer } of peers) {
      const text = [...peer.heard.matchAll(/"text":"(.*?)"/g)].map((match) => match[1]).join("");
      if (!cut) expect(text).toBe(whole);
    }
    expect(model.calls.filter((call) => call.outcome === "done").length).toBeGreaterThanOrEqual(30);
  });

  it("does not hold the engine by not reading", async () => {
    const { model, port } = await setup({ pieces: Array.from({ length: 200 }, () => "x".repeat(20_000)) });
    const peer = post(port, { stream: true });
    peer.socket.pause();
    await until(() => model.calls[0]?.outcome === "done");
  });
});

/** A whole request and its answer. */
async function until200(port: number) {
  const peer = post(port);
  await until(() => peer.heard.includes('"usage"'));
  return peer;
}

describe("malformed and hostile requests", () => {
  const request = async (port: number, text: string) => {
    const peer = dial(port);
    peer.socket.write(text);
    await until(() => peer.closed || /\r\n\r\n./s.test(peer.heard));
    return peer;
  };

  it.each([
    ["no Host", "GET /v1/models HTTP/1.1\r\n\r\n", 403],
    ["no Host, HTTP/1.0", "GET /v1/models HTTP/1.0\r\n\r\n", 403],
    ["an empty Host", "GET /v1/models HTTP/1.1\r\nHost:\r\n\r\n", 403],
    ["a foreign Host", "GET /v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403],
    ["a foreign Host in front", "GET /v1/models HTTP/1.1\r\nHost: evil.example\r\nHost: localhost\r\n\r\n", 403],
    ["a Host that is no host", "GET /v1/models HTTP/1.1\r\nHost: a b\r\n\r\n", 400],
    ["a loopback Host", "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n", 200],
    ["no HTTP", "HELLO\r\n\r\n", 400],
  ])("%s", async (_, text, expected) => {
    const { port } = await setup();
    expect(status((await request(port, text)).heard)).toBe(expected);
  });

  it("refuses a body over 1 MiB by its declared length, before it comes", async () => {
    const { port, model } = await setup();
    const head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048577\r\n\r\n";
    expect(status((await request(port, head)).heard)).toBe(413);
    expect(model.calls).toEqual([]);
  });

  it("refuses a body over 1 MiB that does not declare its length", async () => {
    const { port, model } = await setup();
    const peer = dial(port);
    peer.socket.write("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    const part = `10000\r\n${"x".repeat(65_536)}\r\n`;
    for (let i = 0; i < 17; i++) peer.socket.write(part);
    await until(() => peer.heard.includes("request_too_large"));
    expect(status(peer.heard)).toBe(413);
    expect(model.calls).toEqual([]);
  });

  it("takes a chunked body within the limit", async () => {
    const { port } = await setup();
    const body = JSON.stringify({ model: "fake", prompt: "hello" });
    const peer = dial(port);
    peer.socket.write("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    peer.socket.write(`${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
    await until(() => peer.heard.includes('"usage"'));
    expect(status(peer.heard)).toBe(200);
  });
});

describe("listen", () => {
  it.each(["0.0.0.0", "::", "192.168.0.1", "example.com", "", "127.0.0.1.evil.example"])(
    "refuses the host %j",
    async (host) => {
      await expect(listen(createApp({ model: createFakeModel() }), { host, port: 0 })).rejects.toMatchObject({
        code: "ERR_OPTION",
        details: { option: "host" },
      });
    },
  );

  it.each([-1, 65_536, 1.5, Number.NaN])("refuses the port %d", async (port) => {
    await expect(listen(createApp({ model: createFakeModel() }), { port })).rejects.toMatchObject({
      code: "ERR_OPTION",
    });
  });

  it("says that a port is taken", async () => {
    const { port } = await setup();
    await expect(listen(createApp({ model: createFakeModel() }), { port })).rejects.toMatchObject({
      message: expect.stringContaining("EADDRINUSE"),
    });
  });

  it("binds loopback only", async () => {
    const server = await listen(createApp({ model: createFakeModel() }), { host: "localhost", port: 0 });
    open.push(server);
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });
});

describe("close", () => {
  it("lets what runs end, takes nothing new, and ends idle connections", async () => {
    const gate = deferred();
    const { port, server, model } = await setup({ gate: () => gate.promise });
    const idle = dial(port);
    const busy = post(port, { stream: true });
    await until(() => model.calls.length === 1);
    const closed = server.close({ graceMs: 60_000 });
    const late = dial(port);
    await until(() => late.closed && idle.closed);
    gate.resolve();
    await closed;
    await until(() => busy.closed);
    expect(busy.heard).toContain("[DONE]");
    expect(model.calls[0]!.outcome).toBe("done");
  });

  it("cuts what runs too long, and the generation with it", async () => {
    const { port, server, model } = await setup({ endless: true });
    const peer = post(port, { stream: true });
    await until(() => peer.heard.includes('"x"'));
    const closed = server.close({ graceMs: 60_000 });
    void server.close({ graceMs: 0 });
    await closed;
    await until(() => peer.closed && model.calls[0]!.outcome === "aborted");
  });
});
