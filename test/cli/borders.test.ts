import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { runProcess } from "../../builder/process.ts";
import { packageRoot } from "./program.ts";

/** Lints one file at the given place of a tree of its own, with the project's settings. */
async function lint(path: string, text: string): Promise<{ code: number | null; said: string }> {
  const dir = mkdtempSync(join(tmpdir(), "twinseal-lint-"));
  try {
    mkdirSync(join(dir, dirname(path)), { recursive: true });
    writeFileSync(join(dir, path), text);
    for (const name of [".oxlintrc.json", "tsconfig.json"])
      writeFileSync(join(dir, name), readFileSync(join(packageRoot, name)));
    symlinkSync(join(packageRoot, "node_modules"), join(dir, "node_modules"));
    const result = await runProcess(
      [join(packageRoot, "node_modules/.bin/oxlint"), "--type-aware", "--deny-warnings", path],
      {
        cwd: dir,
        env: { PATH: process.env["PATH"] ?? "" },
        timeoutMs: 60_000,
      },
    );
    return { code: result.code, said: result.stdout + result.stderr };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const use = (what: string) => `import { thing } from "${what}";\nexport const used: unknown = thing;\n`;

test.for([
  ["builder/leak.ts", "../mirror/git.ts"],
  ["builder/inputs/leak.ts", "../../cli/deps.ts"],
  ["builder/leak.ts", "@actions/core"],
  ["builder/leak.ts", "commander"],
  ["builder/leak.ts", "tar"],
  ["builder/recipe/leak.ts", "node:child_process"],
  ["builder/leak.ts", "node:https"],
  ["mirror/leak.ts", "../builder/errors.ts"],
  ["mirror/leak.ts", "yaml"],
  ["cli/leak.ts", "@actions/core"],
  ["cli/leak.ts", "../actions/inputs.ts"],
  ["cli/commands/leak.ts", "node:child_process"],
  ["actions/leak.ts", "tar"],
] as const)("%s may not import %s", async ([path, what]) => {
  const { code, said } = await lint(path, use(what));
  expect(said).toContain("no-restricted-imports");
  expect(code).toBe(1);
});

test.for([
  ["builder/fine.ts", "zod"],
  ["builder/sandbox/fine.ts", "node:child_process"],
  ["builder/process.ts", "node:child_process"],
  ["builder/inputs/fine.ts", "../errors.ts"],
  ["builder/fine.ts", "node:fs/promises"],
  ["cli/fine.ts", "../builder/errors.ts"],
  ["actions/fine.ts", "../cli/deps.ts"],
  ["actions/fine.ts", "@actions/core"],
] as const)("%s may import %s", async ([path, what]) => {
  const { said } = await lint(path, use(what));
  expect(said).not.toContain("no-restricted-imports");
});

test.for([
  ["a default export", "export default 1;\n", "no-default-export"],
  ["any", "export const x: any = 1;\n", "no-explicit-any"],
  ["a non-null assertion", "export const x = (y: string | undefined) => y!.length;\n", "no-non-null-assertion"],
  [
    "a floating promise",
    "export function f(p: Promise<void>): void {\n  p.then(() => 1);\n}\n",
    "no-floating-promises",
  ],
  ["a look at the environment", 'export const home = process.env["HOME"];\n', "no-process-env"],
  ["fetch", 'export const page = (): Promise<Response> => fetch("http://127.0.0.1/");\n', "no-restricted-globals"],
] as const)("the builder has no %s", async ([, text, rule]) => {
  const { code, said } = await lint("builder/leak.ts", text);
  expect(said).toContain(rule);
  expect(code).toBe(1);
});
