import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { parseLock } from "../../builder/recipe/load-lock.ts";
import { openProject, projectRecipe, type Project } from "../support/project.ts";
import { openToolchain } from "../support/toolchain.ts";

beforeAll(async () => {
  await openToolchain();
}, 600_000);

const files = {
  "go.mod": `module example.test/tiny

go 1.21

require example.test/lib v0.0.0

replace example.test/lib => ./parts/lib
`,
  "main.go": `package main

import "example.test/lib"

var version = "none"

func main() { println("tiny " + version + " " + lib.Word) }
`,
  "parts/lib/go.mod": "module example.test/lib\n\ngo 1.21\n",
  "parts/lib/lib.go": 'package lib\n\nconst Word = "from-the-tree"\n',
};

const check = `check: {run: [], prints: "tiny {version} from-the-`;

async function pinAndBuild(project: Project): Promise<string> {
  const pinned = await project.run(["pin", "@1.0.0"]);
  expect(pinned.code, pinned.stderr).toBe(0);
  const lockPath = join(project.dir, "twinseal.lock.json");
  expect(parseLock(await readFile(lockPath, "utf8"), lockPath).modules).toEqual([]);
  const built = await project.run(["build", "--target", "linux/amd64"]);
  expect(built.code, built.stderr).toBe(0);
  return built.stderr + built.stdout;
}

it("a module that go.mod replaces by a directory of the source is built from there, and is no module of the lock", async () => {
  await using project = await openProject({ ...files, "twinseal.yaml": await projectRecipe(`${check}tree"}\n`) });
  expect(await pinAndBuild(project)).toContain("match");

  await rm(join(project.dir, "parts"), { recursive: true });
  const gone = await project.run(["pin", "@1.0.1"]);
  expect(gone.code, gone.stderr).not.toBe(0);
  expect(gone.stderr).toContain("parts/lib");
});

it("a vendor directory is built from where the recipe says so, and from nothing else", async () => {
  const vendored = {
    "vendor/example.test/lib/lib.go": 'package lib\n\nconst Word = "from-the-vendor"\n',
    "vendor/modules.txt":
      "# example.test/lib v0.0.0 => ./parts/lib\n## explicit; go 1.21\nexample.test/lib\n# example.test/lib => ./parts/lib\n",
  };
  const recipe = await projectRecipe(`vendor: true\n${check}vendor"}\n`);
  await using project = await openProject({ ...files, ...vendored, "twinseal.yaml": recipe });
  expect(await pinAndBuild(project)).toContain("match");
  await project.write({ "twinseal.yaml": await projectRecipe(`${check}tree"}\n`) });
  expect(await pinAndBuild(project)).toContain("match");
});
