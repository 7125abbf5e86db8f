import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const golden = fileURLToPath(new URL("../../model-import/test/golden/llama-tied", import.meta.url));
/** One id a byte, and the end of a text. */
const SIZE = 257;

/**
 * The golden Llama model as a folder of safetensors with a vocabulary that can spell text: its 64 embedding rows are turned
 * round until there are enough, and a tokenizer of single bytes goes with them.
 */
export function writeSmallModel(folder: string): void {
  cpSync(golden, folder, { recursive: true });
  const weights = join(folder, "model.safetensors");
  writeFileSync(weights, withRows(readFileSync(weights), "model.embed_tokens.weight", SIZE));
  const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
  const fields = { vocab_size: SIZE, eos_token_id: SIZE - 1, max_position_embeddings: 256 };
  writeFileSync(join(folder, "config.json"), JSON.stringify({ ...config, ...fields }));
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(byteTokenizer()));
}

/** The file with a matrix of 16-bit values made `rows` rows tall. */
function withRows(file: Buffer, name: string, rows: number): Buffer {
  const start = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, start)) as Record<
    string,
    { dtype: string; shape: [number, number]; data_offsets: [number, number] }
  >;
  let offset = 0;
  const parts: Buffer[] = [];
  for (const [key, tensor] of Object.entries(header)) {
    if (key === "__metadata__") continue;
    const [from, to] = tensor.data_offsets;
    let bytes = file.subarray(start + from, start + to);
    if (key === name) {
      bytes = taller(bytes, tensor.shape, rows);
      tensor.shape[0] = rows;
    }
    tensor.data_offsets = [offset, offset + bytes.length];
    offset += bytes.length;
    parts.push(bytes);
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...parts]);
}

function taller(bytes: Buffer, [height, width]: [number, number], rows: number): Buffer {
  const out = Buffer.alloc(rows * width * 2);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < width; c++) {
      const turned = (c + 5 * Math.floor(r / height)) % width;
      out.writeUInt16LE(bytes.readUInt16LE(((r % height) * width + turned) * 2), (r * width + c) * 2);
    }
  return out;
}

function byteTokenizer(): object {
  const printable = (b: number) => (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
  let spare = 0x100;
  const pieces = Array.from({ length: 256 }, (_, b) => String.fromCodePoint(printable(b) ? b : spare++));
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    added_tokens: [{ id: 256, content: "<|end|>", special: true, normalized: false }],
    normalizer: null,
    pre_tokenizer: byteLevel,
    decoder: byteLevel,
    model: { type: "BPE", vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])), merges: [] },
  };
}
