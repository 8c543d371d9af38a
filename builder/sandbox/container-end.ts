import type { ChildProcess } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { TwinsealError } from "../errors.ts";
import { engineFailure } from "./engine-failure.ts";
import { runEngine, type Engine } from "./engine.ts";
import { sandboxFailure } from "./failure.ts";

const KILL_MS = 10_000;

/**
 * Kills by name, since the client's end is not the container's. The client is left to end by itself: killed between
 * creating and starting, it would leave a container that never runs.
 */
export async function killContainer(engine: Engine, name: string, child: ChildProcess): Promise<void> {
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const alive = () => child.exitCode === null && child.signalCode === null;
  await quietly(engine, ["kill", name]);
  if (alive()) await Promise.race([ended, delay(KILL_MS, undefined, { ref: false })]);
  if (alive()) child.kill("SIGKILL");
}

/** Removes what `--rm` could not: an engine that was killed, or a client that was. */
export async function removeContainer(engine: Engine, name: string): Promise<void> {
  await quietly(engine, ["rm", "--force", name]);
}

/** A container that is gone already, or an engine that does not answer, is no further fault. */
async function quietly(engine: Engine, argv: readonly string[]): Promise<void> {
  await runEngine(engine, argv, { timeoutMs: KILL_MS }).catch(() => {});
}

export type ContainerEnd = { readonly code: number | null; readonly signal: string | null; readonly errors: string };

/** Why a container ended without having finished: our program's own words, the engine's, or a kill. */
export async function explainEnd(engine: Engine, name: string, since: Date, end: ContainerEnd): Promise<TwinsealError> {
  if (end.code === 137) {
    return (await ranOutOfMemory(engine, name, since))
      ? new TwinsealError("world", "KILLED", "the container was killed for lack of memory", {
          hint: "free memory, raise the container's limit, or build with --sequential",
        })
      : new TwinsealError("world", "KILLED", "the container was killed, by someone else or for lack of memory", {
          hint: `was it ${engine.name} kill? else free memory, or build with --sequential`,
        });
  }
  if (/^inside: /m.test(end.errors)) return sandboxFailure(end.code, end.signal, end.errors);
  return engineFailure(engine.name, end.errors || `it ended with ${end.signal ?? `exit code ${end.code}`}`);
}

/** The container is removed by now; the engine remembers its last events. */
async function ranOutOfMemory(engine: Engine, name: string, since: Date): Promise<boolean> {
  const filters = ["--filter", `container=${name}`, "--filter", "event=oom"];
  const until = String(Math.ceil(Date.now() / 1000) + 1);
  const from = String(Math.floor(since.getTime() / 1000));
  try {
    const events = await runEngine(engine, ["events", "--since", from, "--until", until, ...filters], {
      timeoutMs: KILL_MS,
    });
    return events.code === 0 && events.stdout.trim() !== "";
  } catch {
    return false;
  }
}
