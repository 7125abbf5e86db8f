/** Milliseconds as a straight line over length, from noisy rounds that slowly forget. */
export interface LineFit {
  /** Samples remembered, after forgetting. */
  readonly weight: number;
  /** Mean milliseconds of the samples. */
  readonly mean: number;
  add(x: number, y: number): void;
  /** The line at x, never below 0. */
  at(x: number): number;
}

/** A sample beyond this many times the prediction is taken for a pause (a collector's, a paged-out file's) and cut there. */
const PAUSE = 2;
/** Samples after which the line is a prediction. Before, a sample may exceed the mean as far as its rows and this say. */
const SETTLED = 4;
const EARLY = 1.5;
/** A sample this many times below the prediction says that pauses made the line, or that the cost has changed. */
const SHORT = 1.5;
/** Samples in a row beyond the ceiling are no pauses: the cost has changed. */
const CHANGED = 3;
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
  /** Samples in a row that were cut. */
  let high = 0;
  // A cost does not fall with length; noise that says so is not believed.
  const slope = () => Math.max(0, covXY / (varX + RIDGE * weight));
  const at = (x: number) => (weight === 0 ? 0 : Math.max(0, meanY + slope() * (x - meanX)));
  /** No pass costs more than its rows in proportion; after a while the line knows better. */
  const ceiling = (x: number) => {
    if (weight === 0 || meanY === 0) return Number.POSITIVE_INFINITY;
    return weight > SETTLED ? PAUSE * Math.max(at(x), meanY / 4) : EARLY * meanY * Math.max(1, (x + 1) / (meanX + 1));
  };
  /** Leaves the past no more weight than one sample. */
  const forget = () => {
    const scale = 1 / Math.max(1, weight);
    weight *= scale;
    varX *= scale;
    covXY *= scale;
  };
  return {
    get weight() {
      return weight;
    },
    get mean() {
      return meanY;
    },
    at,
    add(x, y) {
      high = y > ceiling(x) ? high + 1 : 0;
      if (y * SHORT < at(x) || high === CHANGED) forget();
      if (weight <= 1 && (y * SHORT < meanY || high === CHANGED)) weight = meanX = meanY = varX = covXY = high = 0;
      const sample = Math.min(y, ceiling(x));
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
