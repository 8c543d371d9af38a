/**
 * Orders versions as Semantic Versioning 2.0.0, section 11, does: numbers by value, a pre-release below its release,
 * build metadata last and by code unit so that the order is total. Parts that are no numbers are compared as text.
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [split(a), split(b)];
  return (
    compareParts(left.core, right.core, 0) ||
    Number(left.pre === undefined) - Number(right.pre === undefined) ||
    compareParts(left.pre ?? [], right.pre ?? []) ||
    compareText(a, b)
  );
}

/** As `compareVersions`, where a pre-release counts as its release. */
export function compareReleases(a: string, b: string): number {
  return compareParts(split(a).core, split(b).core, 0);
}

function split(version: string): { core: readonly string[]; pre: readonly string[] | undefined } {
  const [main = ""] = version.replace(/^v(?=\d)/, "").split("+", 1);
  const dash = main.indexOf("-");
  return dash < 0
    ? { core: main.split("."), pre: undefined }
    : { core: main.slice(0, dash).split("."), pre: main.slice(dash + 1).split(".") };
}

/** `missing`: how a part that is not there counts; absent, the shorter list is the lower one. */
function compareParts(a: readonly string[], b: readonly string[], missing?: number): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const [left, right] = [a[index] ?? missing?.toString(), b[index] ?? missing?.toString()];
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1;
    const order = comparePart(left, right);
    if (order !== 0) return order;
  }
  return 0;
}

function comparePart(a: string, b: string): number {
  const [left, right] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (left !== right) return left ? -1 : 1;
  if (!left) return compareText(a, b);
  const [x, y] = [BigInt(a), BigInt(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
