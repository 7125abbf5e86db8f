import { DiffuSpecError } from "@diffuspec/contracts";
import { bytes, type Field, integer, join, message, text } from "./protobuf.ts";
import { readFields } from "./read.ts";

/** Fields of ModelProto, GraphProto, NodeProto and TensorProto; onnx/onnx.proto names them. */
const MODEL = { graph: 7 } as const;
const GRAPH = { node: 1, initialiser: 5, input: 11, output: 12 } as const;
const NODE = { input: 1, output: 2 } as const;
const TENSOR_NAME = 8;
const VALUE = { name: 1, type: 2 } as const;

interface Node {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** What is left, as it stands in the file. */
  readonly rest: readonly Field[];
}

/**
 * The graph of a decoder's first layers, of a graph that targetGraph() wrote: the final norm and the LM head follow layer
 * `layers`. Its weights are the same file's, which must lie beside it; its shape is the target's with so many `layers`.
 * Untrained for it, such a model says less than it knows: "logit lens".
 *
 * @param graph the ONNX file's bytes
 * @throws ERR_OPTION unless layers is an integer in 1..the graph's own, ERR_PARSE for a damaged file (details.offset), ERR_GRAPH
 *   for another kind of graph
 */
export function firstLayers(graph: Uint8Array, layers: number): Uint8Array {
  const model = readFields(graph, 0);
  const body = model.find(({ field }) => field === MODEL.graph);
  if (!body) throw another("it holds no graph");
  const cut = cutGraph(body.value, layers);
  return join(model.map((part) => (part === body ? bytes(MODEL.graph, cut) : part.whole)));
}

function cutGraph(graph: Uint8Array, layers: number): Uint8Array {
  const fields = readFields(graph);
  const inputs = fields.filter(({ field }) => field === GRAPH.input).map(({ value }) => nameOf(value, VALUE.name));
  const own = inputs.filter((name) => /^past_\d+_key$/.test(name)).length;
  if (own === 0) throw another("it has no inputs past_N_key");
  if (!Number.isInteger(layers) || layers < 1 || layers > own) throw badLayers(layers, own);
  if (layers === own) return graph;

  const nodes = fields.filter(({ field }) => field === GRAPH.node).map(({ value }) => readNode(value));
  const maker = (name: string) => {
    const node = nodes.find(({ outputs }) => outputs.includes(name));
    if (node) return node;
    throw another(`nothing makes ${name}`);
  };
  const [border, last, cache] = [maker(`tap_${layers}`), maker("tap_output"), maker("new_kv")];
  if (border.outputs[3] !== `tap_${layers}` || last.inputs.length !== 3 || cache.inputs.length !== 2 * own)
    throw another("its norms or its keys and values are made otherwise");
  const changed = nodes.flatMap((node) => {
    if (node === last) return [];
    if (node === cache) return [{ ...node, inputs: node.inputs.slice(0, 2 * layers) }];
    if (node !== border) return [node];
    // The sum of residual stream and layer, under the norm of the head and no longer under that of the next layer.
    const [a, b] = node.inputs as [string, string];
    return [{ ...node, inputs: [a, b, last.inputs[2]!], outputs: ["tap_output", ...node.outputs.slice(1)] }];
  });

  const beyond = (name: string) => Number(/^(?:tap|past)_(\d+)/.exec(name)?.[1] ?? -1) >= layers;
  const outputs = fields
    .filter(({ field, value }) => field === GRAPH.output && !beyond(nameOf(value, VALUE.name)))
    .map(({ value }) => value);
  const wanted = outputs.map((value) => nameOf(value, VALUE.name));
  const { kept, used } = reachable(changed, wanted);
  const others = fields.flatMap(({ field, value, whole }) => {
    if (field === GRAPH.node || field === GRAPH.output) return [];
    if (field === GRAPH.input && beyond(nameOf(value, VALUE.name))) return [];
    if (field === GRAPH.initialiser && !used.has(nameOf(value, TENSOR_NAME))) return [];
    return [whole];
  });
  return join([
    ...kept.map((node) => message(GRAPH.node, writeNode(node))),
    ...others,
    ...outputs.map((value) =>
      bytes(GRAPH.output, nameOf(value, VALUE.name) === "new_kv" ? withFirstSize(value, 2 * layers) : value),
    ),
  ]);
}

/** The nodes that these outputs need, in their order, and every name that is read. */
function reachable(nodes: readonly Node[], outputs: readonly string[]): { kept: Node[]; used: ReadonlySet<string> } {
  const used = new Set(outputs);
  const kept: Node[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((name) => used.has(name))) continue;
    kept.push(node);
    for (const name of node.inputs) used.add(name);
  }
  return { kept: kept.reverse(), used };
}

function readNode(node: Uint8Array): Node {
  const fields = readFields(node);
  const names = (wanted: number) => fields.flatMap(({ field, value }) => (field === wanted ? [decode(value)] : []));
  const rest = fields.flatMap(({ field, whole }) => (field === NODE.input || field === NODE.output ? [] : [whole]));
  return { inputs: names(NODE.input), outputs: names(NODE.output), rest };
}

const writeNode = ({ inputs, outputs, rest }: Node): Field[] => [
  ...inputs.map((name) => text(NODE.input, name)),
  ...outputs.map((name) => text(NODE.output, name)),
  ...rest,
];

/** A ValueInfoProto whose tensor has another first dimension: its type, tensor type, shape, and first dim. */
function withFirstSize(value: Uint8Array, size: number): Uint8Array {
  const dim = (shape: Uint8Array) => {
    const [, ...others] = readFields(shape);
    return join([message(1, [integer(1, size)]), ...others.map(({ whole }) => whole)]);
  };
  return edit(value, VALUE.type, (type) => edit(type, 1, (tensor) => edit(tensor, 2, dim)));
}

const edit = (of: Uint8Array, wanted: number, change: (value: Uint8Array) => Uint8Array): Uint8Array =>
  join(readFields(of).map(({ field, value, whole }) => (field === wanted ? bytes(field, change(value)) : whole)));

const nameOf = (of: Uint8Array, wanted: number): string =>
  decode(readFields(of).find(({ field }) => field === wanted)?.value ?? new Uint8Array(0));

const utf8 = new TextDecoder();
const decode = (value: Uint8Array) => utf8.decode(value);

const badLayers = (layers: number, own: number) =>
  new DiffuSpecError({
    code: "ERR_OPTION",
    what: `layers is ${layers}`,
    why: `it must be an integer in 1..${own}, the layers of the graph`,
    next: "Pass such a value.",
    details: { option: "layers", layers: own },
  });

const another = (why: string) =>
  new DiffuSpecError({
    code: "ERR_GRAPH",
    what: "The graph cannot be cut after its first layers",
    why,
    next: "Pass a target's graph that this package wrote.",
  });
