import { describe, expect, test } from "vitest";
import { committed, greedy, openFake, request, spySearch, text } from "../test/fakes.ts";
import { CHUNK } from "./session.ts";

describe("stopping", () => {
  test("abort while it catches up; what was fed stays, and the session goes on", async () => {
    const { session, forward } = openFake();
    await session.begin({ ids: text(10), sampler: greedy });
    await session.observe(committed(...text(200, 8)));
    const stop = new AbortController();
    forward.onPass = () => stop.abort();
    await expect(session.propose(request({ signal: stop.signal }))).rejects.toMatchObject({ code: "ERR_ABORTED" });
    expect(forward.length).toBeGreaterThan(10);
    expect(forward.length).toBeLessThan(10 + CHUNK + 1);
    delete forward.onPass;
    const fresh = openFake();
    await fresh.session.begin({ ids: Int32Array.of(...text(10), ...text(200, 8)), sampler: greedy });
    expect((await session.propose(request())).tree).toEqual((await fresh.session.propose(request())).tree);
  });

  test("abort between refinement steps", async () => {
    const { session, forward } = openFake({ steps: 4 });
    await session.begin({ ids: text(10), sampler: greedy });
    const stop = new AbortController();
    forward.calls.length = 0;
    forward.onPass = () => stop.abort();
    await expect(session.propose(request({ signal: stop.signal }))).rejects.toMatchObject({ code: "ERR_ABORTED" });
    expect(forward.calls.length).toBe(1);
  });

  test("dispose stops the reading of a text after the chunk under way", async () => {
    const { session, forward } = openFake();
    forward.onPass = () => void session.dispose();
    await session.begin({ ids: text(200), sampler: greedy });
    await expect(session.propose(request())).rejects.toMatchObject({ code: "ERR_CLOSED" });
    expect(forward.calls.length).toBe(1);
    await expect(session.propose(request())).rejects.toMatchObject({ code: "ERR_CLOSED" });
    await session.dispose();
  });

  test("misuse is told", async () => {
    const { session } = openFake();
    const contract = { code: "ERR_CONTRACT" };
    await expect(session.propose(request())).rejects.toMatchObject(contract);
    expect(() => session.observe(committed(1))).toThrow(expect.objectContaining(contract));
    await expect(session.begin({ ids: new Int32Array(0), sampler: greedy })).rejects.toMatchObject(contract);
    await session.begin({ ids: text(5), sampler: greedy });
    const first = session.propose(request());
    await expect(session.propose(request())).rejects.toMatchObject(contract);
    await first;
  });

  test("an error of the search or the model leaves the session usable", async () => {
    let broken = true;
    const spy = spySearch();
    const search = {
      name: "breaks once",
      search: (asked: Parameters<typeof spy.search.search>[0]) => {
        if (broken) throw new Error("no");
        return spy.search.search(asked);
      },
    };
    const { session } = openFake({ search });
    await session.begin({ ids: text(20), sampler: greedy });
    await expect(session.propose(request())).rejects.toThrow("no");
    broken = false;
    const plain = openFake();
    await plain.session.begin({ ids: text(20), sampler: greedy });
    expect((await session.propose(request())).tree).toEqual((await plain.session.propose(request())).tree);
  });
});
