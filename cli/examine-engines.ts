import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TwinsealError, messageOf } from "../builder/errors.ts";
import { containerLimits } from "../builder/sandbox/driver-power.ts";
import { engineNames, findEngine, type Engine, type EngineName, type Environment } from "../builder/sandbox/engine.ts";
import { tryContainer } from "../builder/sandbox/oci.ts";
import type { Finding } from "./examine.ts";

type EngineDeps = { readonly env: Environment; readonly uid: number; readonly arch: string };

/** Which container engines can stand in for namespaces, or build one side; with a helper program a container runs. */
export function examineEngines(deps: EngineDeps, program: string | undefined): Promise<readonly Finding[]> {
  return Promise.all(engineNames.map((name) => examineEngine(name, deps, program)));
}

async function examineEngine(name: EngineName, deps: EngineDeps, program: string | undefined): Promise<Finding> {
  const base = { id: name, what: name };
  try {
    const engine = await findEngine(name, deps.env, deps.uid);
    const who = engine.rootless ? `${engine.version}, without root` : engine.version;
    const unvaried = program === undefined ? undefined : await runOne(engine, program, deps.arch);
    return unvaried === undefined
      ? { ...base, state: "yes", reason: `${who}, answers; the first build tries it for real` }
      : { ...base, state: "yes", reason: `${who}, ran a sandbox; cannot vary ${unvaried.join(", ")}` };
  } catch (error) {
    const fix = error instanceof TwinsealError ? error.hint : undefined;
    return { ...base, state: "limited", reason: firstLine(messageOf(error)), ...(fix === undefined ? {} : { fix }) };
  }
}

/** Undefined when the program is one of an earlier version, which knows no containers. */
async function runOne(engine: Engine, program: string, arch: string): Promise<readonly string[] | undefined> {
  const dir = await mkdtemp(join(tmpdir(), "twinseal-doctor-"));
  try {
    return Object.keys(containerLimits(engine.name, await tryContainer({ engine, program, arch }, dir))).toSorted();
  } catch (error) {
    if (/unknown command "contain"/.test(messageOf(error))) return undefined;
    throw error;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function firstLine(text: string): string {
  return text.trim().split("\n")[0] ?? "";
}
