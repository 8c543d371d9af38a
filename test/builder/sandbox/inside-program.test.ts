import { appendFile, cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { digestFile } from "../../../builder/digest.ts";
import { readHost } from "../../../builder/host.ts";
import { insideProgram } from "../../../builder/sandbox/inside-program.ts";
import { openToolchain, repository, testHelperDir } from "../../support/toolchain.ts";

it("the sandbox's own program is built again when what was kept is not what was recorded", async () => {
  const { goroot, lock } = await openToolchain();
  const toolchain = lock.go.toolchains.find(({ host }) => host === readHost().platform);
  if (toolchain === undefined) throw new Error("no toolchain for this host");
  const dir = await mkdtemp(join(tmpdir(), "twinseal-inside-"));
  try {
    let count = 0;
    const take = async (keepDir: string) => {
      const said: string[] = [];
      const workDir = join(dir, String(count++));
      await mkdir(workDir);
      const program = await insideProgram({
        sourceDir: join(repository, "builder/sandbox/inside"),
        goroot,
        toolchain,
        keepDir,
        workDir,
        watch: { say: (text) => said.push(text) },
      });
      return { program, sha256: (await digestFile(program)).sha256, built: said.length > 0 };
    };
    const whole = await take(testHelperDir());
    const keepDir = join(dir, "kept");
    await cp(testHelperDir(), keepDir, { recursive: true });
    expect(await take(keepDir)).toMatchObject({ sha256: whole.sha256, built: false });

    for (const name of await readdir(keepDir))
      if (!name.endsWith(".json")) await appendFile(join(keepDir, name), "more");
    expect(await take(keepDir)).toMatchObject({ sha256: whole.sha256, built: true });
    for (const name of await readdir(keepDir)) if (name.endsWith(".json")) await writeFile(join(keepDir, name), "{");
    expect(await take(keepDir)).toMatchObject({ sha256: whole.sha256, built: true });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
