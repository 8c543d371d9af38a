import { parentPort } from "node:worker_threads";
import { TwinsealError, messageOf, systemCodeOf } from "../errors.ts";
import { extractDeb } from "./deb-package.ts";

/** A thread of its own (see deb-thread.ts): extracts one package after another, and answers each job once. */
export type Job = { readonly path: string; readonly dir: string };
export type Answer = { readonly unpackedBytes: number } | { readonly fault: Fault };
/** An error without its class, which does not survive the way between threads. */
export type Fault = Pick<TwinsealError, "message"> & {
  readonly code: string | undefined;
  readonly twinseal?: Pick<TwinsealError, "kind" | "hint">;
};

async function work({ path, dir }: Job): Promise<Answer> {
  try {
    return { unpackedBytes: await extractDeb(path, dir) };
  } catch (error) {
    const message = messageOf(error);
    if (!(error instanceof TwinsealError)) return { fault: { message, code: systemCodeOf(error) } };
    const { code, kind, hint } = error;
    return { fault: { message, code, twinseal: { kind, hint } } };
  }
}

parentPort?.on("message", (job: Job) => void work(job).then((answer) => parentPort?.postMessage(answer)));
