export interface FakeModelOptions {
  readonly vocabularySize: number;
  readonly seed: number;
  /** The logits depend on the last `order` ids. */
  readonly order: number;
  /** Logits are spread over 0..peaked nats; large values make the model sure of itself. */
  readonly peaked: number;
  /** Logits are rounded to this many levels, so that ties abound; 0 leaves them alone. */
  readonly ties: number;
}

export const FAKE_MODEL_DEFAULTS: FakeModelOptions = { vocabularySize: 32, seed: 1, order: 3, peaked: 6, ties: 0 };

/** A language model without weights: logits are a pure hash of the last few ids. */
export interface FakeModel extends FakeModelOptions {
  /** The row after these ids, [vocabularySize]; a fresh array. `salt` gives the row of another such model. */
  logits(history: ArrayLike<number>, salt?: number): Float32Array;
}

export function createFakeModel(options: Partial<FakeModelOptions> = {}): FakeModel {
  const all = { ...FAKE_MODEL_DEFAULTS, ...options };
  const { vocabularySize, seed, order, peaked, ties } = all;
  return {
    ...all,
    logits(history, salt = 0) {
      let state = scramble(seed ^ Math.imul(salt, 0x2545f491));
      for (let i = Math.max(0, history.length - order); i < history.length; i++)
        state = scramble(state + Math.imul(history[i]! + 1, 0x9e3779b1));
      return Float32Array.from({ length: vocabularySize }, (_, id) => {
        const unit = scramble(state ^ Math.imul(id + 1, 0x85ebca77)) / 2 ** 32;
        return ties > 0 ? (Math.floor(unit * ties) / ties) * peaked : unit * peaked;
      });
    },
  };
}

/** A random-looking function of a 32-bit word; unsigned. */
export function scramble(word: number): number {
  let h = Math.imul(word ^ (word >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return (h ^ (h >>> 15)) >>> 0;
}
