/** One measured figure against its limit: a ratio of two commands in the same run, or an absolute with its unit. */
export type Figure = {
  readonly name: string;
  readonly value: number;
  readonly limit: number;
  readonly unit: "ratio" | "s" | "ms" | "MB";
  /** The single measurements. */
  readonly detail: string;
};

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new Error("no measurement");
  return sorted.length % 2 === 1 ? middle : (middle + (sorted[sorted.length / 2 - 1] ?? middle)) / 2;
}
