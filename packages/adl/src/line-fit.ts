/** Milliseconds as a straight line over length, from noisy rounds that slowly forget. */
export interface LineFit {
  /** Samples remembered, after forgetting. */
  readonly weight: number;
  add(x: number, y: number): void;
  /** The line at x, never below 0. */
  at(x: number): number;
}

/** A sample beyond this many times the prediction is taken for a hiccup (a collector's pause, a paged-out file) and cut there. */
const HICCUP = 4;
/** Samples before anything is called a hiccup. */
const SETTLED = 4;
/** Variance of x below which the slope is not trusted: it is drawn to 0. */
const RIDGE = 0.5;

/** @param keep weight of the past per sample, 0 < keep < 1 */
export function createLineFit(keep: number): LineFit {
  let weight = 0;
  let meanX = 0;
  let meanY = 0;
  // Weighted sums of squares about the means.
  let varX = 0;
  let covXY = 0;
  // A cost does not fall with length; noise that says so is not believed.
  const slope = () => Math.max(0, covXY / (varX + RIDGE * weight));
  const at = (x: number) => (weight === 0 ? 0 : Math.max(0, meanY + slope() * (x - meanX)));
  return {
    get weight() {
      return weight;
    },
    at,
    add(x, y) {
      const expected = at(x);
      const sample = weight > SETTLED && expected > 0 ? Math.min(y, HICCUP * expected) : y;
      const old = weight * keep;
      weight = old + 1;
      const [dx, dy] = [x - meanX, sample - meanY];
      meanX += dx / weight;
      meanY += dy / weight;
      varX = varX * keep + (old / weight) * dx * dx;
      covXY = covXY * keep + (old / weight) * dx * dy;
    },
  };
}
