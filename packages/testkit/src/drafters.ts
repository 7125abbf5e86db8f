import {
  CONTRACT_VERSION,
  chain,
  type Draft,
  type Drafter,
  type DraftRequest,
  type Sampler,
  type TokenTree,
} from "@diffuspec/contracts";
import { type FakeModel, scramble } from "./fake-model.ts";

/** What a scripted drafter sees: all committed ids, the request, and the generation's sampler. */
export interface Scene {
  readonly ids: readonly number[];
  readonly root: number;
  readonly request: DraftRequest;
  readonly sampler: Sampler;
}

/** A drafter from one function; the ids are kept by what observe() reports. */
export function createScriptedDrafter(name: string, propose: (scene: Scene) => Draft | Promise<Draft>): Drafter {
  return {
    contractVersion: CONTRACT_VERSION,
    name,
    needs: {},
    open() {
      let ids: number[] = [];
      let sampler: Sampler;
      return {
        begin(start) {
          ids = Array.from(start.ids);
          sampler = start.sampler;
        },
        propose: (request) => propose({ ids, root: ids[ids.length - 1]!, request, sampler }),
        observe({ committed }) {
          ids.push(...committed);
        },
        dispose() {},
      };
    },
  };
}

/** What the model will say: `length` tokens after `ids`. */
function foresee(model: FakeModel, { ids, sampler, request }: Scene): number[] {
  const all = [...ids];
  for (let i = 0; i < request.length; i++) all.push(sampler.token(model.logits(all), all.length, Int32Array.from(all)));
  return all.slice(ids.length);
}

const draw = (seed: number, ...at: number[]): number =>
  at.reduce((state, x) => scramble(state + x + 0x9e37), scramble(seed));

/** Always right. */
export const oracleDrafter = (model: FakeModel): Drafter =>
  createScriptedDrafter("oracle", (scene) => ({ tree: chain(scene.root, foresee(model, scene)) }));

/** Never right: every token is the neighbour of the model's choice. */
export const wrongDrafter = (model: FakeModel): Drafter =>
  createScriptedDrafter("wrong", (scene) => ({
    tree: chain(
      scene.root,
      foresee(model, scene).map((id) => (id + 1) % model.vocabularySize),
    ),
  }));

/** Right up to a place that varies from round to round, then wrong. */
export const sometimesDrafter = (model: FakeModel, seed = 1): Drafter =>
  createScriptedDrafter("sometimes", (scene) => {
    const right = draw(seed, scene.ids.length) % (scene.request.length + 1);
    const path = foresee(model, scene).map((id, i) => (i < right ? id : (id + 1) % model.vocabularySize));
    return { tree: chain(scene.root, path) };
  });

/** Random ids in a chain of random length. */
export const randomDrafter = (vocabularySize: number, seed = 1): Drafter =>
  createScriptedDrafter("random", ({ ids, root, request }) => {
    const length = draw(seed, ids.length) % (request.length + 1);
    return {
      tree: chain(
        root,
        Array.from({ length }, (_, i) => draw(seed, ids.length, i) % vocabularySize),
      ),
    };
  });

/** An end-of-text id in the midst of what is otherwise right. */
export const eosDrafter = (model: FakeModel, eos: number, seed = 1): Drafter =>
  createScriptedDrafter("eos", (scene) => {
    const path = foresee(model, scene);
    path[draw(seed, scene.ids.length) % path.length] = eos;
    return { tree: chain(scene.root, path) };
  });

/**
 * A random tree within the limits, with equal siblings now and then, nodes in no particular order, and the model's own path
 * hidden somewhere in it: in front, or (mostly) as a side branch.
 */
export const treeDrafter = (model: FakeModel, seed = 1): Drafter =>
  createScriptedDrafter("tree", (scene) => {
    const { ids, root, request } = scene;
    const random = (...at: number[]) => draw(seed, ids.length, ...at);
    const tokens = [root];
    const parents = [-1];
    const depth = [0];
    const add = (parent: number, token: number) => {
      tokens.push(token);
      parents.push(parent);
      depth.push(depth[parent]! + 1);
      return tokens.length - 1;
    };
    const size = random(1) % (request.nodes + 1);
    const right = foresee(model, scene).slice(0, size);
    let tip = 0;
    let next = 0;
    for (let i = 0; tokens.length <= size; i++) {
      const parent = random(2, i) % tokens.length;
      const follow = next < right.length && random(3, i) % 3 !== 0;
      if (follow) tip = add(tip, right[next++]!);
      else if (depth[parent]! < request.length) add(parent, random(4, i) % model.vocabularySize);
    }
    return { tree: asTree(tokens, parents) };
  });

/** The root alone. */
export const emptyDrafter = (): Drafter => createScriptedDrafter("empty", ({ root }) => ({ tree: chain(root, []) }));

/** One token deeper than asked. */
export const overlongDrafter = (): Drafter =>
  createScriptedDrafter("overlong", ({ root, request }) => ({ tree: chain(root, new Int32Array(request.length + 1)) }));

/** One node more than allowed, no deeper than asked. */
export const overfullDrafter = (): Drafter =>
  createScriptedDrafter("overfull", ({ root, request }) => ({
    tree: asTree(
      [root, ...new Array<number>(request.nodes + 1).fill(0)],
      [-1, ...new Array<number>(request.nodes + 1).fill(0)],
    ),
  }));

/** An id that is none: -1, the vocabulary's size, or what you give. */
export const foreignIdDrafter = (id: number): Drafter =>
  createScriptedDrafter("foreign-id", ({ root }) => ({ tree: chain(root, [id]) }));

/** Throws (synchronously) in its n-th propose, counted from 0; before that it proposes nothing. */
export const throwingDrafter = (error: unknown, round = 0): Drafter => {
  let calls = 0;
  return createScriptedDrafter("throwing", ({ root }) => {
    if (calls++ >= round) throw error;
    return { tree: chain(root, []) };
  });
};

/** Never answers, and does not look at the signal. */
export const silentDrafter = (): Drafter => createScriptedDrafter("silent", () => new Promise<Draft>(() => {}));

function asTree(tokens: readonly number[], parents: readonly number[]): TokenTree {
  return { tokens: Int32Array.from(tokens), parents: Int32Array.from(parents) };
}
