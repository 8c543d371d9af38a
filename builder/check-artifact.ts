import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { findEmulator, oldestProcessor, type Emulator } from "./emulator.ts";
import type { HostFacts } from "./host.ts";
import { amd64Level, buildFor } from "./plan.ts";
import type { Platform } from "./platform.ts";
import type { Lock } from "./recipe/lock.ts";
import { expandPlaceholders, placeholderValues } from "./recipe/placeholders.ts";
import type { Recipe } from "./recipe/schema.ts";
import type { SandboxDriver } from "./sandbox/driver.ts";
import { plainSpec } from "./sandbox/plain-spec.ts";

/** How the program did on an emulated processor that has what its level allows and little more. */
export type OldestResult =
  | { readonly ran: false; readonly reason: string }
  | { readonly ran: true; readonly processor: string; readonly passed: boolean; readonly printed: string };

export type CheckResult =
  | { readonly ran: false; readonly reason: string }
  | {
      readonly ran: true;
      readonly passed: boolean;
      readonly expected: string;
      readonly printed: string;
      /** Of a program for amd64. */
      readonly oldest?: OldestResult | undefined;
    };

/** Whether nothing that was checked failed; what could not run did not fail. Pure. */
export function checksPassed({
  check,
  links,
}: {
  readonly check?: CheckResult | undefined;
  readonly links?: { readonly faults: readonly string[] } | undefined;
}): boolean {
  const started = check?.ran !== true || (check.passed && (check.oldest?.ran !== true || check.oldest.passed));
  return started && (links?.faults ?? []).length === 0;
}

const CHECK_TIMEOUT_MS = 60_000;
/** Emulation takes ten times as long. */
const EMULATED_TIMEOUT_MS = 300_000;
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

/**
 * Starts the artifact in an empty sandbox of its own and looks for the recipe's `check.prints` in what it prints; a program
 * for amd64 once more on the oldest processor that its GOAMD64 allows, where the machine can emulate one.
 */
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
  const argv = [`/check/${recipe.name}`, ...recipe.check.run];
  const good = ({ exit, printed }: Printed) => exit === 0 && expected.trim() !== "" && printed.includes(expected);
  const binds = [
    { from: place.program, to: `/check/${recipe.name}` },
    ...place.others.map((from) => ({ from, to: `/check/${basename(from)}` })),
  ];
  const native = await runInSandbox({ argv, binds, timeoutMs: CHECK_TIMEOUT_MS }, place, driver);
  const result = { ran: true, passed: good(native), expected, printed: native.printed } as const;
  if (platform !== "linux/amd64" || !result.passed) return result;
  const emulated = await emulationOf(recipe);
  if ("reason" in emulated) return { ...result, oldest: { ran: false, ...emulated } };
  const { emulator, processor } = emulated;
  const oldest = await runInSandbox(
    {
      argv: ["/check/.emulator", "-cpu", processor, ...argv],
      binds: [...binds, { from: emulator.path, to: "/check/.emulator" }],
      timeoutMs: EMULATED_TIMEOUT_MS,
    },
    place,
    driver,
  );
  return { ...result, oldest: { ran: true, processor, passed: good(oldest), printed: oldest.printed } };
}

type Emulation = { readonly emulator: Emulator; readonly processor: string };

async function emulationOf(recipe: Recipe): Promise<Emulation | { readonly reason: string }> {
  const level = amd64Level(buildFor(recipe, "linux/amd64"));
  const processor = oldestProcessor(level);
  if (processor === undefined) return { reason: `no emulated processor is known for GOAMD64=${level}` };
  const emulator = await findEmulator();
  return typeof emulator === "string" ? { reason: emulator } : { emulator, processor };
}

type Started = {
  readonly argv: readonly string[];
  readonly binds: readonly { readonly from: string; readonly to: string }[];
  readonly timeoutMs: number;
};
type Printed = { readonly exit: number | undefined; readonly printed: string };

async function runInSandbox(started: Started, place: CheckPlace, driver: SandboxDriver): Promise<Printed> {
  const workDir = join(place.workDir, `check-${randomUUID()}`);
  await mkdir(workDir);
  let printed = "";
  let exit: number | undefined;
  await driver.run(
    {
      ...plainSpec(join(workDir, "result")),
      scratchBytes: 256 * 1024 ** 2,
      rootfs: place.rootfsDir,
      binds: started.binds,
      writable: ["/home/check", "/tmp"],
      steps: [
        {
          id: "check",
          argv: started.argv,
          env: ["HOME=/home/check", "TMPDIR=/tmp", "PATH=/check"],
          dir: "/source",
          fresh: [],
          graph: "",
        },
      ],
    },
    {
      workDir,
      timeoutMs: started.timeoutMs,
      onEvent: (event) => {
        if (event.event === "output" && printed.length < MAX_PRINTED) printed += event.text;
        if (event.event === "exit") exit = event.exit;
      },
    },
  );
  return { exit, printed: printed.slice(0, MAX_PRINTED) };
}
