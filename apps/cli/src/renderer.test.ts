import { Writable } from "node:stream";
import pc from "picocolors";
import { expect, test } from "vitest";
import { createRenderer } from "./renderer.ts";

function sink() {
  let text = "";
  const stream = new Writable({
    highWaterMark: 1,
    write(chunk, _encoding, done) {
      text += chunk;
      setImmediate(done);
    },
  });
  return { stream, text: () => text };
}

const event = { text: "abcd", texts: ["a", "b", "", "c", "d"], accepted: [true, true, true, true, false] };

test("accepted tokens share one pair of codes, the bonus is plain", async () => {
  const { stream, text } = sink();
  const renderer = createRenderer(stream, pc.createColors(true), true);
  renderer.begin("> ");
  await renderer.tokens(event);
  renderer.end();
  await new Promise((resolve) => stream.end(resolve));
  expect(text()).toBe("\u001b[2m> \u001b[22m\u001b[32mabc\u001b[39md\n");
});

test("elsewhere it is the text and nothing else", async () => {
  const { stream, text } = sink();
  const renderer = createRenderer(stream, pc.createColors(false), false);
  renderer.begin("> ");
  await renderer.tokens(event);
  await renderer.tokens({ text: "", texts: [""], accepted: [false] });
  renderer.end();
  await new Promise((resolve) => stream.end(resolve));
  expect(text()).toBe("abcd");
});
