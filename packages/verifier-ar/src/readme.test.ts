import * as fs from "node:fs";
import * as promptLookup from "@diffuspec/drafters/prompt-lookup";
import * as specLoop from "@diffuspec/spec-loop";
import { createFakeTokenizer } from "@diffuspec/testkit";
import { afterEach, expect, it } from "vitest";
import { runReadmeExample } from "../../../tools/readme-example.ts";
import { directory } from "../test/hub-fixture.ts";
import * as verifierAr from "./index.ts";

const { argv } = process;
afterEach(() => {
  process.argv = argv;
});

it("the README's model of the hub writes", async () => {
  process.argv = [argv[0]!, argv[1]!, directory];
  const { logged } = await runReadmeExample(new URL("../README.md", import.meta.url), {
    "node:fs": fs,
    "@diffuspec/drafters/prompt-lookup": promptLookup,
    "@diffuspec/spec-loop": specLoop,
    // The random model's 64 ids are too few for the bytes that a real tokenizer.json has.
    "@diffuspec/tokenizer": { createTokenizer: async ({ json }: { json: string }) => fakeTokenizer(json) },
    // One thread: several that wait actively for each other crawl on a busy machine.
    "@diffuspec/verifier-ar": {
      createHubVerifier: (options: verifierAr.HubVerifierOptions) =>
        verifierAr.createHubVerifier({ ...options, threads: 1 }),
    },
  });
  expect(logged).toHaveLength(1);
  expect(logged[0]![0]).toMatch(/^[!-~Ġ]+$/);
});

function fakeTokenizer(json: string) {
  const { model, added_tokens } = JSON.parse(json);
  const pieces: string[] = [];
  for (const [piece, id] of Object.entries<number>(model.vocab)) pieces[id] = piece;
  for (const { id, content } of added_tokens) pieces[id] = content;
  const tokenizer = createFakeTokenizer(pieces);
  return { ...tokenizer, encode: (text: string) => tokenizer.encode(text.toLowerCase()) };
}
