import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { reportSchema } from "../../builder/report.ts";
import { openProject, projectRecipe } from "../support/project.ts";
import { openToolchain, testStoreRoot } from "../support/toolchain.ts";
import { binPath } from "./program.ts";

const gen = `package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	policy, _, _ := syscall.RawSyscall(syscall.SYS_SCHED_GETSCHEDULER, 0, 0, 0)
	class, _, _ := syscall.RawSyscall(syscall.SYS_IOPRIO_GET, 1, 0, 0)
	os.WriteFile("seen.go", fmt.Appendf(nil, "package main\\n\\nfunc init() { println(%d, %d) }\\n", policy, class), 0o644)
}
`;

it("a build does not see with what class of processor and disk time twinseal was started", async () => {
  await openToolchain();
  await using project = await openProject({
    "twinseal.yaml": (await projectRecipe("before: [[go, run, ./gen]]\n")).replace(", linux/arm64", ""),
    "go.mod": "module example.test/tiny\n\ngo 1.21\n",
    "main.go": "package main\n\nfunc main() {}\n",
    "gen/main.go": gen,
  });
  const pinned = await project.run(["pin", "@1.0.0"]);
  expect(pinned.code, pinned.stderr).toBe(0);
  const build = async (...around: string[]) => {
    const [command, ...argv] = [...around, process.execPath, binPath, "build", "--offline"];
    const env = { ...process.env, CI: "true", TWINSEAL_CACHE: testStoreRoot() };
    const child = spawn(command, argv, { cwd: project.dir, env, stdio: ["ignore", "ignore", "pipe"] });
    let text = "";
    child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
    const [code] = await once(child, "close");
    expect(code, text).toBe(0);
    const path = join(project.dir, "twinseal-out/tiny-v1.0.0/report.json");
    return reportSchema.parse(JSON.parse(await readFile(path, "utf8"))).targets[0]?.artifacts[0]?.sha256;
  };
  const plain = await build();
  expect(await build("chrt", "--batch", "0", "ionice", "-c", "3")).toBe(plain);
});
