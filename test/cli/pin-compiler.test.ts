import { existsSync } from "node:fs";
import { readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { parseLock } from "../../builder/recipe/load-lock.ts";
import { lackOfApt, openAptRepository } from "../support/apt-repository.ts";
import { openProject, projectRecipe, tinyMain } from "../support/project.ts";
import { openToolchain } from "../support/toolchain.ts";

beforeAll(async () => {
  await openToolchain();
}, 600_000);

const compiler = (suite: string) => `  cgo: true\ncompiler: {debian: ${suite}, packages: [gcc]}\n`;

it("pin, check, fetch and store gc know a compiler of Debian packages", async (context) => {
  const lack = await lackOfApt();
  if (lack !== undefined) context.skip(lack);
  await using repository = await openAptRepository([
    { name: "gcc", depends: "libc6-dev", entries: [{ path: "./usr/bin/gcc", text: "gcc", mode: 0o755 }] },
    { name: "libc6-dev" },
  ]);
  await using project = await openProject({
    "twinseal.yaml": await projectRecipe(compiler("testing-one")),
    "go.mod": "module example.test/tiny\n\ngo 1.18\n",
    "main.go": tinyMain,
  });
  const env = { TWINSEAL_DEBIAN_MIRROR: repository.url, TWINSEAL_DEBIAN_KEYRING: repository.keyring };
  const pinned = await project.run(["pin", "@1.0.0"], env);
  expect(pinned.code, pinned.stderr).toBe(0);
  expect(pinned.stderr).toContain("locking 2 packages of testing-one");
  const lockPath = join(project.dir, "twinseal.lock.json");
  const text = await readFile(lockPath, "utf8");
  expect(text).not.toContain(new URL(repository.url).host);
  const { compiler: locked } = parseLock(text, lockPath);
  if (locked?.kind !== "debian") throw new Error("the lock has no Debian compiler");
  expect(locked.packages.map(({ name }) => name)).toEqual(["gcc", "libc6-dev"]);
  expect((await project.run(["pin", "@1.0.0", "--check"], env)).code).toBe(0);
  const checked = await project.run(["check"]);
  expect(checked.code, checked.stderr).toBe(0);

  // A store of its own: what gc removes must be only what this test brought.
  const own = { ...env, TWINSEAL_CACHE: join(project.dir, "store") };
  const fetched = await project.run(["fetch"], own);
  expect(fetched.code, fetched.stderr).toBe(0);
  const stored = (sha256: string) => existsSync(join(own.TWINSEAL_CACHE, "sha256", sha256.slice(0, 2), sha256));
  for (const { sha256 } of locked.packages) expect(stored(sha256)).toBe(true);
  expect((await project.run(["store", "gc"], own)).code).toBe(0);
  for (const { sha256 } of locked.packages) expect(stored(sha256)).toBe(true);

  const [first] = locked.packages;
  if (first === undefined) throw new Error("no package");
  await rm(join(own.TWINSEAL_CACHE, "sha256", first.sha256.slice(0, 2), first.sha256));
  repository.faults.flipBit = true;
  const tampered = await project.run(["fetch"], own);
  expect(tampered.code, tampered.stderr).toBe(4);
  expect(tampered.stderr).toContain(`gcc ${first.version}`);
  repository.faults.flipBit = false;
  delete repository.files[`/${first.pool.replaceAll("+", "%2B")}`];
  const gone = await project.run(["fetch"], own);
  expect(gone.code, gone.stderr).toBe(3);
  expect(gone.stderr).toContain("TWINSEAL_DEBIAN_MIRROR=https://snapshot.debian.org/archive/debian/");
  expect(await readdir(join(own.TWINSEAL_CACHE, "tmp"))).toEqual([]);
  const unknown = await project.run(["pin", "@1.0.0"], { ...env, TWINSEAL_DEBIAN_MIRROR: "no-url" });
  expect(unknown.code).toBe(2);
});
