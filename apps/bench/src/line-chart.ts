import { colour, FAINT, figure, frame, line, n, type Series, scale, text, WIDTH } from "./chart.ts";

export interface LineChart {
  readonly title: string;
  readonly axis: string;
  /** Ascending. */
  readonly x: readonly number[];
  /** A value for every x; null where there is none. */
  readonly series: readonly Series[];
}

/** Lines over a number, both axes from zero on. */
export function lineChart({ title, axis, x: xs, series }: LineChart): string {
  const [left, top, height] = [48, 64, 300];
  const right = WIDTH - 24;
  const { most, step } = scale(
    Math.max(0, ...series.flatMap(({ values }) => values.filter((value) => value !== null))),
  );
  const widest = Math.max(1, ...xs);
  const x = (value: number) => left + ((right - left) * value) / widest;
  const y = (value: number) => top + height * (1 - value / most);
  const out: string[] = [];
  for (let i = 0; i * step <= most + 1e-9; i++) {
    out.push(line(left, y(i * step), right, y(i * step), FAINT));
    out.push(text(left - 6, y(i * step) + 4, figure(i * step), { anchor: "end" }));
  }
  for (const value of xs) out.push(text(x(value), top + height + 18, figure(value), { anchor: "middle" }));
  series.forEach(({ values }, s) => {
    const points = values.flatMap((value, i) => (value === null ? [] : [[x(xs[i]!), y(value), value] as const]));
    const path = points.map(([px, py]) => `${n(px)},${n(py)}`).join(" ");
    out.push(`<polyline points="${path}" fill="none" stroke="${colour(s)}" stroke-width="2"/>`);
    for (const [px, py, value] of points) {
      out.push(`<circle cx="${n(px)}" cy="${n(py)}" r="3.5" fill="${colour(s)}"/>`);
      out.push(text(px, py - 8, value.toFixed(2), { anchor: "middle", size: 10 }));
    }
  });
  const names = series.map(({ name }) => name);
  return frame({ title, axis }, out, names, top + height + 44);
}
