import { CONTRACT_VERSION, DiffuSpecError, type Drafter } from "@diffuspec/contracts";
import { createLatticeBuilder } from "@diffuspec/lattice";
import { createCanvas } from "@diffuspec/onnx-decoder";
import { createCanvasForward } from "./canvas-forward.ts";
import { type CanvasDrafterOptions, checkCanvasOptions, fitCanvas } from "./canvas-options.ts";
import { createSession } from "./session.ts";

/** The window slides, so a text may be as long as it likes. */
const ENDLESS = 2 ** 31 - 1;

/**
 * A masked diffusion model that looks at a whole canvas (ids in, logits of every place out, no cache) as a drafter: the last
 * `window` ids and k masks behind them are one pass, the masks' rows a lattice (Eq. 7), and the injected search picks the
 * path or tree of it that is proposed (Eq. 8).
 *
 * @throws ERR_OPTION, ERR_MODEL_FILE_MISSING, ERR_GRAPH, ERR_UNSUPPORTED. Its sessions throw ERR_CONTRACT (misuse, NaN from
 * the graph), ERR_ABORTED, ERR_CLOSED, ERR_GRAPH, and what the search throws.
 */
export async function createCanvasDrafter(options: CanvasDrafterOptions): Promise<Drafter> {
  const { lattice, settings, session, name } = checkCanvasOptions(options);
  const { graph, threads, spin, optimisation, vocabularySize, vocabulary, search } = options;
  createLatticeBuilder(lattice); // refuses bad options before anything is loaded
  const canvas = await createCanvas({
    graph,
    label: name,
    ...(threads !== undefined && { threads }),
    ...(spin !== undefined && { spin }),
    ...(optimisation !== undefined && { optimisation }),
    ...(vocabularySize !== undefined && { vocabularySize }),
  });
  try {
    const sizes = fitCanvas(options, canvas.vocabularySize, lattice);
    if (settings.blockSize !== undefined && canvas.mask !== "additive") throw noBlocks(name, canvas.mask);
    return {
      contractVersion: CONTRACT_VERSION,
      name,
      needs: {},
      ...(vocabulary && { vocabulary }),
      open: () =>
        createSession({
          forward: createCanvasForward({ canvas, ...settings, ...sizes }),
          manifest: { contextLength: ENDLESS, maxMasks: 1023, maskId: settings.maskId, top: sizes.top },
          lattice,
          search: typeof search === "function" ? search() : search,
          promptWindow: Number.POSITIVE_INFINITY,
          ...session,
        }),
      dispose: () => canvas.dispose(),
    };
  } catch (error) {
    await canvas.dispose();
    throw error;
  }
}

const noBlocks = (name: string, mask: string) =>
  new DiffuSpecError({
    code: "ERR_OPTION",
    what: `blockSize was given for ${name}`,
    why: `its graph ${mask === "none" ? "takes no attention_mask" : "takes one number an id"}, so blocks cannot be told to it`,
    next: "Leave blockSize out, or use an export with an additive attention_mask [1, 1, S, S].",
  });
