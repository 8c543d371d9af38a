import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { readHost } from "../../builder/host.ts";
import { openDriver } from "../../builder/sandbox/open-driver.ts";
import { TwinsealError } from "../../builder/errors.ts";
import { openToolchain, repository, testHelperDir } from "./toolchain.ts";

// Run by driver-default.test.ts as a process from which something was taken: prints the driver that is opened when none
// is named, or the refusal. Its argument is the engine's environment as JSON.
const { goroot, lock, store } = await openToolchain();
const toolchain = lock.go.toolchains.find(({ host }) => host === readHost().platform);
if (toolchain === undefined) throw new Error("no toolchain for this host");
const workDir = await mkdtemp(join(tmpdir(), "twinseal-default-"));
try {
  const { driver } = await openDriver(
    undefined,
    { goroot, toolchain, workDir, store },
    {
      helperDir: testHelperDir(),
      insideDir: join(repository, "builder/sandbox/inside"),
      uid: process.getuid?.() ?? 0,
      gid: process.getgid?.() ?? 0,
      arch: process.arch,
      env: z.record(z.string(), z.string()).parse(JSON.parse(process.argv[2] ?? "{}")),
    },
  );
  process.stdout.write(`${driver.id}\n`);
} catch (error) {
  if (!(error instanceof TwinsealError)) throw error;
  process.stdout.write(`${error.code}: ${error.message}\n${error.hint ?? ""}\n`);
} finally {
  await rm(workDir, { recursive: true, force: true });
}
