import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { HostFacts } from "./host.ts";
import type { Platform } from "./platform.ts";
import type { Lock } from "./recipe/lock.ts";
import { expandPlaceholders, placeholderValues } from "./recipe/placeholders.ts";
import type { Recipe } from "./recipe/schema.ts";
import type { SandboxDriver } from "./sandbox/driver.ts";

export type CheckResult =
  | { readonly ran: false; readonly reason: string }
  | { readonly ran: true; readonly passed: boolean; readonly expected: string; readonly printed: string };

const CHECK_TIMEOUT_MS = 60_000;
const MAX_PRINTED = 4096;

/** Paths of the host. */
export type CheckPlace = {
  readonly program: string;
  /** Files that the program looks for beside itself. */
  readonly others: readonly string[];
  /** Where a program that is not static finds the C library; empty: nowhere. */
  readonly rootfsDir: string;
  readonly workDir: string;
};

/** Starts the artifact in an empty sandbox of its own and looks for the recipe's `check.prints` in what it prints. */
export async function executeCheck(
  subject: { readonly recipe: Recipe; readonly lock: Lock },
  platform: Platform,
  place: CheckPlace,
  host: Pick<HostFacts, "platform">,
  driver: SandboxDriver,
): Promise<CheckResult | undefined> {
  const { recipe, lock } = subject;
  if (recipe.check === undefined) return undefined;
  if (platform !== host.platform)
    return { ran: false, reason: `${host.platform} cannot run a program for ${platform}` };
  const expected = expandPlaceholders(recipe.check.prints, placeholderValues(lock, recipe.build.tags ?? []));
  const workDir = join(place.workDir, `check-${randomUUID()}`);
  await mkdir(workDir);
  const program = `/check/${recipe.name}`;
  let printed = "";
  let exit: number | undefined;
  await driver.run(
    {
      hostname: "check",
      domainname: "example.test",
      scratchBytes: 256 * 1024 ** 2,
      uid: 1000,
      gid: 1000,
      umask: 0o022,
      cpus: [],
      uname26: false,
      fixedAddresses: false,
      terminal: false,
      firstPid: 0,
      clock: null,
      uptimeOffsetSeconds: 0,
      rootfs: place.rootfsDir,
      binds: [
        { from: place.program, to: program },
        ...place.others.map((from) => ({ from, to: `/check/${basename(from)}` })),
      ],
      source: { from: "", to: "/work", reverseOrder: false, timeSeconds: 0, readOnly: false },
      writable: ["/home/check", "/tmp"],
      files: [],
      steps: [
        {
          id: "check",
          argv: [program, ...recipe.check.run],
          env: ["HOME=/home/check", "TMPDIR=/tmp", "PATH=/check"],
          dir: "/work",
          fresh: [],
          graph: "",
        },
      ],
      outputFrom: "/result",
      outputTo: join(workDir, "result"),
      outputs: [],
      maxOutputBytes: 0,
    },
    {
      workDir,
      timeoutMs: CHECK_TIMEOUT_MS,
      onEvent: (event) => {
        if (event.event === "output" && printed.length < MAX_PRINTED) printed += event.text;
        if (event.event === "exit") exit = event.exit;
      },
    },
  );
  return {
    ran: true,
    passed: exit === 0 && expected.trim() !== "" && printed.includes(expected),
    expected,
    printed: printed.slice(0, MAX_PRINTED),
  };
}
