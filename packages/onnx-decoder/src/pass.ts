import { DiffuSpecError } from "@diffuspec/contracts";

/** What one pass computed. Its arrays are fresh copies and stay valid. */
export interface DecoderPass {
  /** Cache rows the pass looked back on. */
  readonly pastLength: number;
  /** New rows, one an id. */
  readonly rowCount: number;
  /** [2 * layers, kvHeads, rowCount, headDim], key and value of each layer; undefined unless "new_kv" was fetched. */
  readonly newKv: Float32Array | undefined;
  /** A fetched float32 output, flat. @throws ERR_CONTRACT where it was not fetched or has another type */
  f32(name: string): Float32Array;
  /** A fetched int32 output, flat. @throws ERR_CONTRACT where it was not fetched or has another type */
  i32(name: string): Int32Array;
}

export function createPass(
  pastLength: number,
  rowCount: number,
  outputs: Readonly<Record<string, { readonly data: unknown }>>,
): DecoderPass {
  const kv = outputs.new_kv?.data;
  return {
    pastLength,
    rowCount,
    newKv: kv instanceof Float32Array ? kv : undefined,
    f32(name) {
      const data = outputs[name]?.data;
      if (!(data instanceof Float32Array)) throw notFetched(name, "float32");
      return data;
    },
    i32(name) {
      const data = outputs[name]?.data;
      if (!(data instanceof Int32Array)) throw notFetched(name, "int32");
      return data;
    },
  };
}

const notFetched = (name: string, type: string) =>
  new DiffuSpecError({
    code: "ERR_CONTRACT",
    what: `The output ${name} was read as ${type}`,
    why: "this pass did not fetch it, or it has another type",
    next: `Name it in \`fetch\`.`,
  });
