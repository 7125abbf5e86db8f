import { CONTRACT_VERSION, type Drafter } from "@diffuspec/contracts";
import { createLatticeBuilder } from "@diffuspec/lattice";
import { createDecoder } from "@diffuspec/onnx-decoder";
import { createForward } from "./forward.ts";
import { checkOptions, type DlmDrafterOptions } from "./options.ts";
import { createSession } from "./session.ts";

/**
 * A block-causal diffusion language model as a drafter (DiffuSpec, section 4): the committed prefix is cached exactly, k
 * masks behind it are predicted in one pass, their candidates form a lattice (Eq. 7), and the injected search picks the
 * path or tree of it that is proposed (Eq. 8).
 *
 * @throws ERR_OPTION, ERR_MODEL_FILE_MISSING, ERR_GRAPH
 */
export async function createDlmDrafter(options: DlmDrafterOptions): Promise<Drafter> {
  const { steps, minMasks, coupling, name, graph } = checkOptions(options);
  const { drafter: manifest, resolve, search, threads, vocabulary } = options;
  const { eosIds, maskId } = manifest;
  const latticeOptions = { ...options.lattice, eosIds, struckIds: [maskId] };
  createLatticeBuilder(latticeOptions); // refuses bad options before anything is loaded
  const decoder = await createDecoder({
    graph: resolve(graph),
    shape: manifest,
    label: graph,
    ...(threads !== undefined && { threads }),
  });
  return {
    contractVersion: CONTRACT_VERSION,
    name,
    needs: {},
    ...(vocabulary && { vocabulary }),
    open: () =>
      createSession({
        forward: createForward(decoder),
        manifest,
        builder: createLatticeBuilder(latticeOptions),
        search,
        steps,
        minMasks,
        coupling,
      }),
    dispose: () => decoder.dispose(),
  };
}
