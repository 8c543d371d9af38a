import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";

const MAX_DEPTH = 12;

/**
 * Main packages below a directory, as `.` or `./cmd/app`, sorted. Left out as the go command leaves them out: vendor,
 * testdata, names with `.` or `_` in front, and directories with a go.mod of their own. Links are not followed.
 */
export async function findMainPackages(root: string): Promise<readonly string[]> {
  const found: string[] = [];
  await walk(root, ".", 0, found);
  return found.toSorted();
}

async function walk(root: string, dir: string, depth: number, found: string[]): Promise<void> {
  const entries = await readdir(join(root, dir), { withFileTypes: true });
  if (depth > 0 && entries.some((entry) => entry.name === "go.mod")) return;
  for (const entry of entries.filter((one) => one.isFile() && isGoFile(one.name))) {
    if (declaresMain(await readFile(join(root, dir, entry.name), "utf8"))) {
      found.push(dir);
      break;
    }
  }
  if (depth >= MAX_DEPTH) return;
  for (const entry of entries.filter((one) => one.isDirectory() && !isLeftOut(one.name))) {
    await walk(root, dir === "." ? `./${entry.name}` : `${dir}/${entry.name}`, depth + 1, found);
  }
}

function isGoFile(name: string): boolean {
  return name.endsWith(".go") && !name.endsWith("_test.go") && !/^[._]/.test(name);
}

function isLeftOut(name: string): boolean {
  return (
    name === "vendor" || name === "testdata" || name === "node_modules" || name === "twinseal-out" || /^[._]/.test(name)
  );
}

/** `package main` with `func main()`, and no constraint that keeps the file out of every build, as generators have. */
export function declaresMain(text: string): boolean {
  const code = withoutComments(text);
  const ignored = /^\/\/(go:build|[ \t]*\+build)[ \t]+ignore\b/m.test(text);
  return !ignored && /^\s*package[ \t]+main\b/.test(code) && /^func[ \t]+main[ \t]*\([ \t]*\)/m.test(code);
}

/** Blanks comments and strings, so that code in them is not read as code. */
function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[^]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|`[^`]*`/g, (part) =>
    part.startsWith("/") ? " " : '""',
  );
}

/**
 * The package that a project most likely ships: its own name under cmd/, else the root, else one whose name begins the
 * project's (`celestia` of celestia-node), else the first one under cmd/.
 */
export function chooseMainPackage(packages: readonly string[], name: string): string | undefined {
  const under = packages.filter((path) => path.startsWith("./cmd/"));
  const near = (path: string) => path.split("/").at(-1)?.toLowerCase();
  return (
    under.find((path) => near(path) === name) ??
    under.find((path) => near(path) === `${name}d`) ??
    packages.find((path) => near(path) === name) ??
    packages.find((path) => path === ".") ??
    under.find((path) => new RegExp(`^${near(path)?.replaceAll(/[^a-z0-9]/g, ".") ?? ""}[-_.]`).test(name)) ??
    under.toSorted((a, b) => a.split("/").length - b.split("/").length)[0] ??
    packages[0]
  );
}
