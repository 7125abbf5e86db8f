/** How rotary frequencies differ from theta^(-2i/headDim). */
export type RopeScaling =
  | { readonly type: "linear"; readonly factor: number }
  | {
      readonly type: "llama3";
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      /** Positions the model was first trained on. */
      readonly originalContext: number;
    }
  /** Divisors of each frequency, headDim / 2 of them; GGUF stores Llama 3's so. */
  | { readonly type: "divisors"; readonly divisors: Float32Array };

export interface Rope {
  readonly theta: number;
  readonly scaling?: RopeScaling;
}

/** Radians a position turns each of the headDim / 2 pairs by. */
export function frequencies(rope: Rope, headDim: number): Float64Array {
  const { theta, scaling } = rope;
  return Float64Array.from({ length: headDim / 2 }, (_, i) => scaled(theta ** ((-2 * i) / headDim), i, scaling));
}

function scaled(frequency: number, i: number, scaling: RopeScaling | undefined): number {
  if (scaling === undefined) return frequency;
  if (scaling.type === "linear") return frequency / scaling.factor;
  if (scaling.type === "divisors") return frequency / scaling.divisors[i]!;
  // Llama 3.1: long waves are stretched, short ones left alone, those between blended.
  const turns = (scaling.originalContext * frequency) / (2 * Math.PI);
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high } = scaling;
  if (turns < low) return frequency / factor;
  if (turns > high) return frequency;
  const share = (turns - low) / (high - low);
  return ((1 - share) * frequency) / factor + share * frequency;
}

/** cos and sin of every angle, float32 [positions, headDim / 2]. */
export function rotaryTables(rope: Rope, headDim: number, positions: number): { cos: Float32Array; sin: Float32Array } {
  const frequency = frequencies(rope, headDim);
  const half = frequency.length;
  const cos = new Float32Array(positions * half);
  const sin = new Float32Array(positions * half);
  for (let p = 0; p < positions; p++)
    for (let i = 0; i < half; i++) {
      cos[p * half + i] = Math.cos(p * frequency[i]!);
      sin[p * half + i] = Math.sin(p * frequency[i]!);
    }
  return { cos, sin };
}
