import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
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
  for (const { name } of run.artifacts) {
    const stat = await lstat(join(dir, name)).catch(() => undefined);
    if (stat?.isFile() !== true)
      throw new TwinsealError(
        "alarm",
        "RUN_CHANGED",
        `${join(dir, name)} is named in run.json and is not a regular file`,
      );
  }
  return { dir, run };
}

function parseRun(text: string, path: string): Run {
  try {
    return runSchema.parse(JSON.parse(text));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
    throw new TwinsealError("caller", "RUN_INVALID", `reading ${path}: ${why}`, { cause: error });
  }
}
