import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { repository } from "../../support/toolchain.ts";

/** Command lines of all processes that mention the text. */
function processesOf(text: string): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")];
      } catch {
        return [];
      }
    })
    .filter((line) => line.includes(text));
}

/** The programs of the build have no host path in their command line: they are known by their name. */
const sleepers = () => processesOf("hostile sleep");

async function until(what: () => boolean, limitMs: number): Promise<boolean> {
  for (const end = Date.now() + limitMs; Date.now() < end; await sleep(50)) if (what()) return true;
  return what();
}

it("leaves no process and no mount when Node is killed with SIGKILL", async () => {
  const child = spawn(process.execPath, [join(repository, "test/support/sleepy-build.ts")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let dir = "";
  child.stdout.on("data", (chunk: Buffer) => (dir += chunk.toString()));
  expect(await until(() => sleepers().length >= 2, 240_000)).toBe(true);
  child.kill("SIGKILL");
  await once(child, "close");
  expect(dir.trim()).not.toBe("");
  expect(await until(() => sleepers().length === 0 && processesOf(dir.trim()).length === 0, 10_000)).toBe(true);
  expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(dir.trim());
  rmSync(dir.trim(), { recursive: true, force: true });
});
