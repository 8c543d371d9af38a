import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { appendFile, chmod, cp, link, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { readHost } from "../../builder/host.ts";
import { openProject, projectRecipe, tinyMain } from "../support/project.ts";
import { openToolchain } from "../support/toolchain.ts";
import { binPath } from "./program.ts";

it.each([
  ["a toolchain", ["trees", "*", "LICENSE"], "the store's tree of golang.org/toolchain"],
  ["a source", ["work", "*", "source", "main.go"], "/source was changed while both builds used it"],
])("%s that somebody changes while it is used is an alarm, and nothing is offered", async (_what, pattern, said) => {
  const { store, lock } = await openToolchain();
  await using project = await openProject({
    "twinseal.yaml": await projectRecipe(),
    "go.mod": "module example.test/tiny\n\ngo 1.21\n",
    "main.go": tinyMain,
  });
  const pinned = await project.run(["pin", "tiny@1.0.0"]);
  expect(pinned.code, pinned.stderr).toBe(0);
  // A store of its own, since others use the shared one meanwhile.
  const own = join(project.dir, "store");
  for (const { zip } of lock.go.toolchains) {
    const dir = join("sha256", zip.sha256.slice(0, 2));
    await mkdir(join(own, dir), { recursive: true });
    const from = join(store.root, dir, zip.sha256);
    await link(from, join(own, dir, zip.sha256)).catch(() => cp(from, join(own, dir, zip.sha256)));
  }
  const child = spawn(process.execPath, [binPath, "build", "--offline"], {
    cwd: project.dir,
    env: { ...process.env, CI: "true", TWINSEAL_CACHE: own },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(child, "close");
  let text = "";
  child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
  while (!text.includes("compiling") && child.exitCode === null) await sleep(20);
  const [path = ""] = globSync(join(own, ...pattern));
  await chmod(path, 0o644);
  await appendFile(path, "\n");
  const [code] = await ended;
  expect(code, text).toBe(4);
  expect(text).toContain(said);
  // Both runs stay, to be looked at; no artifact and no report.
  expect(await readdir(join(project.dir, "twinseal-out/tiny-v1.0.0"))).toEqual([readHost().platform.replace("/", "-")]);
});
