import { expect, it } from "vitest";
import { bosPiece } from "./index.ts";

const template = { type: "TemplateProcessing", single: [{ SpecialToken: { id: "<s>" } }, { Sequence: { id: "A" } }] };
const asked = { add_bos_token: true, bos_token: "<b>" };

it.each([
  ["a template", { post_processor: template }, {}, "<s>"],
  ["a template in a sequence", { post_processor: { type: "Sequence", processors: [null, template] } }, {}, "<s>"],
  ["both: the template", { post_processor: template }, asked, "<s>"],
  [
    "a template that begins with the text",
    { post_processor: { ...template, single: [{ Sequence: {} }] } },
    asked,
    "<b>",
  ],
  ["add_bos_token", {}, asked, "<b>"],
  ["a bos_token that is an object", {}, { ...asked, bos_token: { content: "<b>" } }, "<b>"],
  ["a bos_token that is not added", {}, { bos_token: "<b>" }, undefined],
  ["add_bos_token without one", {}, { add_bos_token: true }, undefined],
  ["no files", undefined, undefined, undefined],
  ["junk", { post_processor: [1] }, [2], undefined],
  ["a template of junk", { post_processor: { ...template, single: [{ SpecialToken: { id: 7 } }] } }, {}, undefined],
])("%s", (_, tokenizer, config, piece) => {
  expect(bosPiece(tokenizer, config)).toBe(piece);
});
