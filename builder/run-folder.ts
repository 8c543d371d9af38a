import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { ACTION_GRAPH } from "./plan.ts";
import { TwinsealError, messageOf } from "./errors.ts";
import { runSchema, type Run } from "./run.ts";

/** One side's folder as read back: its `run.json` is untrusted, its artifacts are digested by whoever compares. */
export type RunFolder = { readonly dir: string; readonly run: Run };

const MAX_RUN_BYTES = 64 * 1024 ** 2;

/** Throws `caller/RUN_INVALID` for a folder that is not a run's. */
export async function loadRunFolder(dir: string): Promise<RunFolder> {
  const path = join(dir, "run.json");
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw new TwinsealError("caller", "RUN_INVALID", `reading ${path}: ${messageOf(error)}`, {
      cause: error,
      hint: "name the folder of one side, for example twinseal-out/<name>-v<version>/<os>-<arch>/a",
    });
  });
  if (text.length > MAX_RUN_BYTES) throw new TwinsealError("caller", "RUN_INVALID", `${path} is too large`);
  const run = parseRun(text, path);
  for (const name of ["run.json", ACTION_GRAPH]) await assertFile(join(dir, name), "may be absent");
  for (const { name } of run.artifacts) await assertFile(join(dir, name), "must be there");
  return { dir, run };
}

/** Never a link, which could lead to the other side's. */
async function assertFile(path: string, presence: "must be there" | "may be absent"): Promise<void> {
  const stat = await lstat(path).catch(() => undefined);
  if (stat?.isFile() === true || (stat === undefined && presence === "may be absent")) return;
  throw new TwinsealError("alarm", "RUN_CHANGED", `${path} is no regular file, and its run had one`);
}

function parseRun(text: string, path: string): Run {
  try {
    return runSchema.parse(JSON.parse(text));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
    throw new TwinsealError("caller", "RUN_INVALID", `reading ${path}: ${why}`, { cause: error });
  }
}
