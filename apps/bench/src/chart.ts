/** Small SVG charts of the figures in docs/: no script, no font of their own, readable on any background. */

export interface Series {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

export interface Chart {
  readonly title: string;
  /** What the numbers are, with their unit. */
  readonly axis: string;
  readonly categories: readonly string[];
  readonly series: readonly Series[];
}

const COLOURS = [
  ...["#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3"],
  ...["#937860", "#da8bc3", "#8c8c8c", "#ccb974", "#64b5cd"],
];
export const WIDTH = 860;
const TEXT = "#1f2328";
export const FAINT = "#d0d7de";

/** Bars side by side, one group a category; `baseline` is drawn across. */
export function groupedBars({ title, axis, categories, series }: Chart, baseline?: number): string {
  const [left, top, height] = [48, 64, 300];
  const right = WIDTH - 16;
  const values = series.flatMap((one) => one.values.filter((value) => value !== null));
  const { most, step } = scale(Math.max(0, baseline ?? 0, ...values));
  const y = (value: number) => top + height * (1 - value / most);
  const group = (right - left) / Math.max(1, categories.length);
  const bar = (group * 0.84) / Math.max(1, series.length);
  // half an em a letter
  const size = Math.min(12, Math.floor((2 * group) / Math.max(1, ...categories.map((name) => name.length))));
  const out: string[] = [];
  for (let i = 0; i * step <= most + 1e-9; i++) {
    out.push(line(left, y(i * step), right, y(i * step), FAINT));
    out.push(text(left - 6, y(i * step) + 4, figure(i * step), { anchor: "end" }));
  }
  categories.forEach((category, c) => {
    const x = left + c * group + group * 0.08;
    series.forEach(({ name, values: all }, s) => {
      const value = all[c] ?? null;
      if (value === null) return;
      out.push(box(x + s * bar, y(value), bar * 0.92, y(0) - y(value), colour(s), `${category}, ${name}: ${value}`));
      if (bar >= 20)
        out.push(text(x + s * bar + bar * 0.46, y(value) - 4, value.toFixed(2), { anchor: "middle", size: 9 }));
    });
    out.push(text(x + group * 0.42, top + height + 18, category, { anchor: "middle", size }));
  });
  if (baseline !== undefined) out.push(line(left, y(baseline), right, y(baseline), TEXT, "5 4"));
  const names = series.map((one) => one.name);
  return frame({ title, axis }, out, names, top + height + 44);
}

/** One bar a category, cut into its parts; the sum stands behind it. */
export function stackedBars({ title, axis, categories, series }: Chart): string {
  const [left, top, row] = [230, 64, 30];
  const right = WIDTH - 70;
  const totals = categories.map((_, c) => series.reduce((sum, one) => sum + (one.values[c] ?? 0), 0));
  const { most, step } = scale(Math.max(...totals));
  const x = (value: number) => left + (right - left) * (value / most);
  const bottom = top + row * categories.length;
  const out: string[] = [];
  for (let i = 0; i * step <= most + 1e-9; i++) {
    out.push(line(x(i * step), top, x(i * step), bottom, FAINT));
    out.push(text(x(i * step), bottom + 16, figure(i * step), { anchor: "middle" }));
  }
  categories.forEach((category, c) => {
    const y = top + c * row + 4;
    let before = 0;
    series.forEach(({ name, values }, s) => {
      const value = values[c] ?? 0;
      out.push(
        box(
          x(before),
          y,
          x(before + value) - x(before),
          row - 8,
          colour(s),
          `${category}, ${name}: ${value.toFixed(2)}`,
        ),
      );
      before += value;
    });
    out.push(text(left - 8, y + row / 2, category, { anchor: "end" }));
    out.push(text(x(before) + 6, y + row / 2, before.toFixed(2)));
  });
  const names = series.map((one) => one.name);
  return frame({ title, axis }, out, names, bottom + 40);
}

/** A round number of steps that holds the largest value. */
export function scale(largest: number): { most: number; step: number } {
  const rough = Math.max(largest, 1e-9) / 5;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * unit >= rough - 1e-12)! * unit;
  return { most: step * Math.max(1, Math.ceil(largest / step - 1e-9)), step };
}

export function frame(
  head: { title: string; axis: string },
  body: readonly string[],
  names: readonly string[],
  y: number,
): string {
  const legend: string[] = [];
  let [x, row] = [16, y];
  names.forEach((name, index) => {
    const width = 30 + name.length * 7;
    if (x + width > WIDTH - 8) [x, row] = [16, row + 20];
    legend.push(box(x, row - 10, 12, 12, colour(index), name), text(x + 17, row, name));
    x += width;
  });
  const height = row + 16;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" font-family="system-ui, sans-serif">
<title>${escaped(head.title)}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
${[text(16, 26, head.title, { size: 16 }), text(16, 46, head.axis), ...body, ...legend].join("\n")}
</svg>
`;
}

export const colour = (index: number) => COLOURS[index % COLOURS.length]!;
export const n = (value: number) => String(Math.round(value * 100) / 100);
export const figure = (value: number) => String(Math.round(value * 1000) / 1000);
const escaped = (value: string) => value.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

export const line = (x1: number, y1: number, x2: number, y2: number, stroke: string, dash?: string) =>
  `<line x1="${n(x1)}" y1="${n(y1)}" x2="${n(x2)}" y2="${n(y2)}" stroke="${stroke}"${dash ? ` stroke-dasharray="${dash}"` : ""}/>`;

const box = (x: number, y: number, width: number, height: number, fill: string, tip: string) =>
  `<rect x="${n(x)}" y="${n(y)}" width="${n(Math.max(0, width))}" height="${n(Math.max(0, height))}" fill="${fill}"><title>${escaped(tip)}</title></rect>`;

export const text = (x: number, y: number, value: string, { anchor = "start", size = 12 } = {}) =>
  `<text x="${n(x)}" y="${n(y)}" fill="${TEXT}" font-size="${size}" text-anchor="${anchor}">${escaped(value)}</text>`;
