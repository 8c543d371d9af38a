import { cp, readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { findEmulator } from "../../builder/emulator.ts";
import { runProcess } from "../../builder/process.ts";
import { parseLock } from "../../builder/recipe/load-lock.ts";
import { reportSchema } from "../../builder/report.ts";
import { lackOfCompiler } from "../support/compiler.ts";
import { openGitServer } from "../support/git-server.ts";
import { openProject } from "../support/project.ts";
import { repository } from "../support/toolchain.ts";

/**
 * The recipe of the tree, on a repository with gaia's shape: its module path, tags and Makefile's variables, the SDK's
 * version command and the real wasmvm with its library. The real repository is out of reach of a test.
 */
it("the recipe of gaiad pins a tag of a git directory and builds a node that knows what it is", async (context) => {
  const lack = await lackOfCompiler();
  if (lack !== undefined) context.skip(lack);
  await using upstream = await openGitServer();
  await cp(join(repository, "test/support/fixtures/gaia"), upstream.dir, { recursive: true });
  await upstream.commit("Release");
  await upstream.git("tag", "-a", "v26.0.0", "-m", "v26.0.0");
  const commit = await upstream.git("rev-parse", "HEAD");
  await using project = await openProject({
    "twinseal.yaml": await readFile(join(repository, "manifests/gaiad/recipe.yaml"), "utf8"),
  });

  const pinned = await project.run(["pin", "gaiad@26.0.0", "--from", upstream.dir]);
  expect(pinned.code, pinned.stderr).toBe(0);
  const lockPath = join(project.dir, "twinseal.lock.json");
  const lock = parseLock(await readFile(lockPath, "utf8"), lockPath);
  expect(lock.source).toMatchObject({ url: "https://github.com/cosmos/gaia", tag: "v26.0.0", commit });
  expect(lock.files).toMatchObject([{ module: "github.com/CosmWasm/wasmvm/v2", version: "v2.2.4" }]);

  const plan = await project.run(["build", "--dry-run", "--json"]);
  expect(plan.stdout).toContain("-X github.com/cometbft/cometbft/version.TMCoreSemVer=v0.38.21");
  expect(plan.stdout).toContain(`-X github.com/cosmos/cosmos-sdk/version.Commit=${commit}`);
  expect(plan.stdout).toContain('"CGO_CFLAGS": "-O2 -g -D__BLST_PORTABLE__"');

  const built = await project.run(["build", "--out", "out"]);
  expect(built.code, built.stderr).toBe(0);
  const release = join(project.dir, "out/gaiad-v26.0.0");
  expect(await readdir(release)).toEqual(expect.arrayContaining(["gaiad-v26.0.0-linux-amd64", "libwasmvm.so"]));
  const report = reportSchema.parse(JSON.parse(await readFile(join(release, "report.json"), "utf8")));
  expect(report.targets[0]?.artifacts.map(({ name }) => name)).toEqual(["gaiad-v26.0.0-linux-amd64", "libwasmvm.so"]);
  expect(built.stderr).toMatch(/  beside it: libwasmvm\.so  sha256 [0-9a-f]{64}  \d+\.\d MB/);
  expect(await project.run(["report", release])).toMatchObject({ code: 0 });
  const { check, verdict } = report.targets[0] ?? {};
  expect({ verdict, check }).toMatchObject({ verdict: "match", check: { ran: true, expected: "v26.0.0" } });
  if (typeof (await findEmulator()) !== "string")
    expect(check).toMatchObject({ oldest: { ran: true, passed: true, processor: "qemu64" } });
  const parts = await runProcess([join(release, "gaiad-v26.0.0-linux-amd64"), "parts"], { env: {}, timeoutMs: 60_000 });
  // CometBFT v0.38.21 has a constant there, which says 0.38.19 and which no linker flag sets: upstream's own is idle.
  expect(parts.stdout, parts.stderr).toBe("cometbft 0.38.19, wasmvm 2.2.4\n");
});
