import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadRecipe } from "../../builder/recipe/load.ts";
import { reportSchema } from "../../builder/report.ts";
import { lackOfCompiler } from "../support/compiler.ts";
import { openProject, projectRecipe } from "../support/project.ts";
import { openToolchain, repository } from "../support/toolchain.ts";

const main = `package main

// #include <features.h>
// #ifdef __GLIBC__
// #error "this is glibc"
// #endif
// static int twice(int n) { return 2 * n; }
import "C"

func main() { println("twice 21 is", C.twice(21)) }
`;

it("a static program with C in it reproduces, with the compiler and the linker flags of gaiad-static", async (context) => {
  const lack = await lackOfCompiler();
  if (lack !== undefined || process.arch !== "x64") return context.skip(lack ?? "the recipe is for amd64");
  await openToolchain();
  const { recipe } = await loadRecipe(join(repository, "manifests/gaiad-static/recipe.yaml"));
  const linking = /-linkmode=external.*/.exec(recipe.build.ldflags ?? "")?.[0] ?? "";
  expect(linking).toContain("-static");
  const more = `  cgo: true\n  cc: ${recipe.build.cc}\ncompiler: ${JSON.stringify(recipe.compiler)}\ncheck: {run: [], prints: twice 21 is 42, links: {needed: []}}\n`;
  await using project = await openProject({
    "twinseal.yaml": (await projectRecipe(more))
      .replace("-X main.version={version}", linking)
      .replace(", linux/arm64", ""),
    "go.mod": "module example.test/tiny\n\ngo 1.21\n",
    "main.go": main,
  });
  const pinned = await project.run(["pin", "@1.0.0"]);
  expect(pinned.code, pinned.stderr).toBe(0);
  const built = await project.run(["build"]);
  expect(built.code, built.stderr).toBe(0);
  const path = join(project.dir, "twinseal-out/tiny-v1.0.0/report.json");
  const report = reportSchema.parse(JSON.parse(await readFile(path, "utf8")));
  expect(report.targets[0]).toMatchObject({ verdict: "match", check: { ran: true, passed: true } });
});
