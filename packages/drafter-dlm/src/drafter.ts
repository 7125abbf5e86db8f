import { CONTRACT_VERSION, DiffuSpecError, type Drafter } from "@diffuspec/contracts";
import { createLatticeBuilder } from "@diffuspec/lattice";
import { createDecoder, type Decoder } from "@diffuspec/onnx-decoder";
import { createForward } from "./forward.ts";
import { checkOptions, type DlmDrafterOptions, type DlmManifest } from "./options.ts";
import { createSession } from "./session.ts";
import { createShiftedForward } from "./shift.ts";
import { createTapStore } from "./taps.ts";

/**
 * A block-causal diffusion language model as a drafter (DiffuSpec, section 4): the committed prefix is cached exactly, k
 * masks behind it are predicted in one pass, their candidates form a lattice (Eq. 7), and the injected search picks the
 * path or tree of it that is proposed (Eq. 8).
 *
 * @throws ERR_OPTION, ERR_MODEL_FILE_MISSING, ERR_GRAPH, ERR_UNSUPPORTED. Its sessions throw ERR_CONTRACT (misuse, an id
 * outside the vocabulary, NaN from the graph), ERR_ABORTED, ERR_CLOSED, ERR_GRAPH, and what the search throws.
 */
export async function createDlmDrafter(options: DlmDrafterOptions): Promise<Drafter> {
  const { graph, name, taps, ...settings } = checkOptions(options);
  const { manifest } = settings;
  const { resolve, search, threads, vocabulary } = options;
  createLatticeBuilder(settings.lattice); // refuses bad options before anything is loaded
  const decoder = await createDecoder({
    graph: resolve(graph),
    shape: manifest,
    label: graph,
    ...(threads !== undefined && { threads }),
  });
  const fault = faultOf(decoder, manifest);
  if (fault !== undefined) {
    await decoder.dispose();
    throw notADrafter(graph, fault);
  }
  const forward = () => {
    const plain = createForward(decoder);
    return manifest.shift ? createShiftedForward(plain, decoder.tapsWidth) : plain;
  };
  return {
    contractVersion: CONTRACT_VERSION,
    name,
    needs: taps.length > 0 ? { taps, whenIdle: false } : {},
    ...(vocabulary && { vocabulary }),
    open: () =>
      createSession({
        forward: forward(),
        search: typeof search === "function" ? search() : search,
        ...(taps.length > 0 && { taps: createTapStore(taps, manifest.width) }),
        ...settings,
      }),
    dispose: () => decoder.dispose(),
  };
}

/** What a sound decoder graph lacks, or has too much of, to be a block-causal drafter's. */
function faultOf({ inputs, outputs, tapsWidth }: Decoder, { taps = [], width }: DlmManifest): string | undefined {
  for (const name of ["top_ids", "top_logits", "log_sum_exp", "new_kv"])
    if (!outputs.has(name)) return `it has no output ${name}`;
  if (!inputs.has("attention_bias")) return "it has no input attention_bias";
  if (tapsWidth !== taps.length * width)
    return `it reads ${tapsWidth} values of the target for an id, and the manifest names ${taps.length} taps of ${width}`;
  return inputs.has("position_ids") ? "it wants position_ids" : undefined;
}

const notADrafter = (graph: string, why: string) =>
  new DiffuSpecError({
    code: "ERR_GRAPH",
    what: `${graph} is not a block-causal drafter's graph`,
    why,
    next: "Name the drafter's own graph in the manifest.",
  });
