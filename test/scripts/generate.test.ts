import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { renderKeyTable } from "../../scripts/recipe-table.ts";
import { packageRoot } from "../cli/program.ts";

const run = promisify(execFile);
let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "twinseal-generate-"));
  await cp(join(packageRoot, "manifests/schema"), join(root, "manifests/schema"), { recursive: true });
  await cp(join(packageRoot, "docs/recipe.md"), join(root, "docs/recipe.md"));
});
afterEach(() => rm(root, { recursive: true }));

const generate = (...flags: string[]) =>
  run(process.execPath, [join(packageRoot, "scripts/generate.ts"), "--root", root, ...flags]).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );

describe("generated files", () => {
  test("in the tree are as the schemas say", async () => {
    expect(await generate("--check")).toMatchObject({ code: 0, stderr: "" });
  });

  test.each([
    "manifests/schema/recipe.schema.json",
    "manifests/schema/lock.schema.json",
    "manifests/schema/run.schema.json",
    "manifests/schema/report.schema.json",
    "docs/recipe.md",
  ])("a stale %s fails the check, is not touched by it, and is written anew", async (path) => {
    const fresh = await readFile(join(root, path), "utf8");
    const stale = fresh.replace(/[Vv]ersion/, "vresion");
    expect(stale).not.toBe(fresh);
    await writeFile(join(root, path), path.endsWith(".md") ? fresh.replace("| `name` |", "| `nmae` |") : stale);
    const checked = await generate("--check");
    expect(checked).toMatchObject({ code: 1 });
    expect(checked.stderr).toContain(`${path} is not as the schemas say`);
    expect(await readFile(join(root, path), "utf8")).not.toBe(fresh);
    expect(await generate()).toMatchObject({ code: 0, stdout: `wrote ${path}\n` });
    expect(await readFile(join(root, path), "utf8")).toBe(fresh);
  });

  test("a missing schema fails the check", async () => {
    await rm(join(root, "manifests/schema/lock.schema.json"));
    expect(await generate("--check")).toMatchObject({ code: 1 });
  });
});

describe("what people read", () => {
  test("every key of the recipe has a description, and it says what is trusted", async () => {
    const schema: unknown = JSON.parse(
      await readFile(join(packageRoot, "manifests/schema/recipe.schema.json"), "utf8"),
    );
    const silent = describedKeys(schema, "recipe").filter(
      ({ text }) =>
        !/trust|not used|reserved|proven|checked|relative to the source|where the code comes from/i.test(text),
    );
    expect(silent).toEqual([]);
  });

  test("each recipe of the tree names the schema in its first line", async () => {
    for (const name of ["celestia-node", "cometbft", "cosmovisor", "gaiad", "horcrux", "node_exporter", "tenderduty"]) {
      const text = await readFile(join(packageRoot, "manifests", name, "recipe.yaml"), "utf8");
      expect(text.split("\n")[0]).toBe("# yaml-language-server: $schema=../schema/recipe.schema.json");
      expect(parse(text)).toMatchObject({ name, check: { run: expect.any(Array), prints: expect.any(String) } });
    }
  });

  test("a table's cell cannot break the table", () => {
    const table = renderKeyTable({ properties: { a: { type: "string", description: "x | y\nz" } }, required: ["a"] });
    expect(table.split("\n").at(-1)).toBe(String.raw`| ${"`a`"} | text | yes | x \| y z |`);
  });
});

function describedKeys(node: unknown, path: string): { path: string; text: string }[] {
  if (typeof node !== "object" || node === null) return [];
  const own =
    "properties" in node && typeof node.properties === "object" && node.properties !== null
      ? Object.entries(node.properties)
      : [];
  const here = own.map(([key, value]: [string, unknown]) => ({
    path: `${path}.${key}`,
    text: typeof value === "object" && value !== null && "description" in value ? String(value.description) : "",
  }));
  return [
    ...here,
    ...Object.entries(node).flatMap(([key, value]: [string, unknown]) => describedKeys(value, `${path}.${key}`)),
  ];
}
