import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { publicUrl } from "../../../builder/recipe/init-git.ts";
import { moduleName, parseGoMod } from "../../../builder/recipe/init-modules.ts";
import { chooseMainPackage, declaresMain } from "../../../builder/recipe/init-packages.ts";
import { findTagPattern } from "../../../builder/recipe/init-tags.ts";
import { initRecipe } from "../../../builder/recipe/init.ts";
import { parseRecipe } from "../../../builder/recipe/load.ts";
import { runProgram } from "../../cli/program.ts";

const main = "package main\n\nfunc main() {}\n";
let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "twinseal-init-"));
});
afterEach(() => rm(dir, { recursive: true }));

async function project(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), text);
  }
}

function git(...args: string[]): void {
  const env = { PATH: process.env["PATH"], HOME: dir, GIT_CONFIG_NOSYSTEM: "1" };
  execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main", ...args], {
    cwd: dir,
    env,
    stdio: "pipe",
  });
}

const init = (options: { fromModule?: string; force?: boolean } = {}) =>
  initRecipe(
    { fromModule: options.fromModule, force: options.force ?? false },
    { cwd: dir, packageRoot: "/opt/twinseal", env: { PATH: process.env["PATH"], HOME: dir } },
  );
const written = async () => {
  const text = await readFile(join(dir, "twinseal.yaml"), "utf8");
  return { text, recipe: parseRecipe(text, "twinseal.yaml") };
};

describe("init", () => {
  test("reads go.mod, main packages, tags and origin of a project in git", async () => {
    await project({
      "go.mod": "module example.com/o/tool/v2 // the tool\n\ngo 1.25.3\n",
      "cmd/tool/main.go": `${main}\nvar version string\n`,
      "cmd/helper/main.go": main,
      "vendor/x/main.go": main,
      "testdata/main.go": main,
      "_old/main.go": main,
      "nested/go.mod": "module nested\n",
      "nested/main.go": main,
      "gen.go": "//go:build ignore\n\npackage main\n\nfunc main() {}\n",
      "lib/doc.go": "package lib\n\n// package main\n// func main() {}\n",
    });
    git("init", "-q");
    git("remote", "add", "origin", "https://user:secret-token@example.com/o/tool.git");
    git("add", ".");
    git("commit", "-qm", "x");
    for (const tag of ["v2.9.0", "v2.10.0", "v2.11.0-rc1", "nightly"]) git("tag", tag);
    expect(await init()).toMatchObject({
      name: "tool",
      mainPackage: "./cmd/tool",
      otherPackages: ["./cmd/helper"],
      version: "2.10.0",
    });
    const { text, recipe } = await written();
    expect(text.split("\n")[0]).toBe(
      "# yaml-language-server: $schema=./node_modules/twinseal/manifests/schema/recipe.schema.json",
    );
    expect(text).toContain("# other main packages: ./cmd/helper");
    expect(text).not.toContain("secret-token");
    expect(recipe).toMatchObject({
      name: "tool",
      source: { git: "https://example.com/o/tool", tag: "v{version}" },
      go: "auto",
      build: { package: "./cmd/tool", ldflags: "-s -w -buildid= -X main.version={version}" },
    });
  });

  test("names the directory and the tags of a module that is not at the repository's root", async () => {
    await project({ "README.md": "" });
    git("init", "-q");
    git("remote", "add", "origin", "git@example.com:o/mono.git");
    git("add", ".");
    git("commit", "-qm", "x");
    for (const tag of ["v9.0.0", "v9.1.0", "tools/app/v1.0.0"]) git("tag", tag);
    const root = dir;
    dir = join(root, "tools/app");
    await project({ "go.mod": "module example.com/o/mono/tools/app\n", "main.go": main });
    expect(await init()).toMatchObject({ version: "1.0.0", mainPackage: "." });
    expect((await written()).recipe.source).toEqual({
      git: "https://example.com/o/mono",
      tag: "tools/app/v{version}",
      dir: "tools/app",
    });
    dir = root;
  });

  test("takes the directory itself where there is no git, and says what that means", async () => {
    await project({ "go.mod": "module example.com/app\n\ngo 1.21\n", "main.go": main });
    await init();
    const { text, recipe } = await written();
    expect(recipe.source).toEqual({ path: "." });
    expect(text).toContain("# A directory is for trying out and can never be sealed.");
    expect(text).toContain("# go.mod says 1.21, which names a language");
  });

  test("takes the source from the module proxy when asked to", async () => {
    await project({ "go.mod": "module example.com/app\n", "main.go": main });
    await init({ fromModule: "" });
    expect((await written()).recipe.source).toEqual({ module: "example.com/app" });
    await init({ fromModule: "example.com/other/place", force: true });
    expect((await written()).recipe.source).toEqual({ module: "example.com/other/place" });
  });

  test("never writes over a recipe, except with --force, and leaves nothing else", async () => {
    await project({ "go.mod": "module example.com/app\n", "main.go": main, "twinseal.yaml": "mine" });
    await expect(init()).rejects.toMatchObject({ kind: "caller", code: "RECIPE_EXISTS" });
    expect(await readFile(join(dir, "twinseal.yaml"), "utf8")).toBe("mine");
    await init({ force: true });
    expect((await written()).recipe.name).toBe("app");
    expect((await readdir(dir)).toSorted()).toEqual(["go.mod", "main.go", "twinseal.yaml"]);
  });

  test.each([
    ["without go.mod", { "main.go": main }, "NOT_A_GO_PROJECT"],
    ["with a go.mod that names no module", { "go.mod": "go 1.25\n", "main.go": main }, "NOT_A_GO_PROJECT"],
    ["with a library only", { "go.mod": "module example.com/lib\n", "lib.go": "package lib\n" }, "NO_MAIN_PACKAGE"],
  ])("writes nothing %s", async (_name, files, code) => {
    await project(files);
    await expect(init()).rejects.toMatchObject({ kind: "caller", code });
    expect(await readdir(dir)).not.toContain("twinseal.yaml");
  });

  test("through the command: exit 0 and then 2, and the written recipe passes check", async () => {
    await project({ "go.mod": "module example.com/app\n", "main.go": main });
    expect(await runProgram(["init"], { cwd: dir })).toMatchObject({ code: 0, stdout: "" });
    expect(await runProgram(["check"], { cwd: dir })).toMatchObject({ code: 0 });
    const again = await runProgram(["init", "--json"], { cwd: dir });
    expect(again.code).toBe(2);
    expect(JSON.parse(again.stdout)).toMatchObject({ code: "RECIPE_EXISTS", exitCode: 2 });
  });
});

describe("the parts", () => {
  test.each([
    ["git@host.example:o/r.git", "https://host.example/o/r"],
    ["ssh://git@host.example:2222/o/r.git", "https://host.example/o/r"],
    ["https://token@host.example:8443/o/r", "https://host.example:8443/o/r"],
    ["/home/me/r", undefined],
    ["file:///home/me/r", undefined],
    ["../r", undefined],
  ])("origin %s is published as %s", (url, expected) => {
    expect(publicUrl(url)).toBe(expected);
  });

  test.each([
    [["v1.0.0", "v1.1.0"], ".", { pattern: "v{version}", version: "1.1.0" }],
    [["1.0.0", "1.1.0"], ".", { pattern: "{version}", version: "1.1.0" }],
    [["app-1.0", "app-1.1", "x/v9.0.0"], ".", { pattern: "app-{version}", version: "1.1" }],
    [["v1.0.0-rc1"], ".", { pattern: "v{version}", version: "1.0.0-rc1" }],
    [["nightly", "latest"], ".", undefined],
    [["$(rm)1.0.0"], ".", undefined],
  ])("tags %j in %s follow %j", (tags, at, expected) => {
    expect(findTagPattern(tags, at)).toEqual(expected);
  });

  test.each([
    [["./cmd/a", "./cmd/tool", "."], "tool", "./cmd/tool"],
    [["./cmd/a", "./cmd/gaiad"], "gaia", "./cmd/gaiad"],
    [["./cmd/a", "."], "tool", "."],
    [["./cmd/cel-key", "./cmd/celestia"], "celestia-node", "./cmd/celestia"],
    [["./internal/gen", "./cmd/b/c", "./cmd/z"], "tool", "./cmd/z"],
    [[], "tool", undefined],
  ])("of %j a project named %s ships %s", (packages, name, expected) => {
    expect(chooseMainPackage(packages, name)).toBe(expected);
  });

  test("a main package is told by its code, not by its comments and strings", () => {
    expect(declaresMain("/* head */\n// x\npackage main\nfunc main() {\n}")).toBe(true);
    expect(declaresMain("package main\nvar x = `\nfunc main() {\n`\n")).toBe(false);
    expect(declaresMain("package lib\n/*\nfunc main() {}\n*/")).toBe(false);
    expect(declaresMain("package main\nfunc helper() {}\n")).toBe(false);
  });

  test("go.mod and module names", () => {
    expect(parseGoMod('module "example.com/a"\ngo 1.25\ntoolchain go1.25.7\n')).toEqual({
      module: "example.com/a",
      go: "1.25",
      toolchain: "go1.25.7",
    });
    expect([moduleName("example.com/o/app/v3"), moduleName("gopkg.in/App.v2"), moduleName("v2")]).toEqual([
      "app",
      "app",
      "v2",
    ]);
  });
});
