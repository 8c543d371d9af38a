import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { TwinsealError } from "../errors.ts";
import type { Answer, Fault, Job } from "./deb-worker.ts";

/** A thread that extracts packages, one at a time; it ends with its scope. */
export type DebThread = AsyncDisposable & {
  /** As `extractDeb`. */
  readonly extract: (path: string, dir: string) => Promise<number>;
};

/** The thread's module: as source beside this file, in a bundle an entry of its own (rolldown.config.ts). */
function workerUrl(): URL {
  const here = import.meta.url;
  if (here.endsWith(".ts")) return new URL("./deb-worker.ts", here);
  return new URL(here.includes("/chunks/") ? "../deb-worker.js" : "./deb-worker.js", here);
}

/** Starts it; its module is loaded with the first job. */
export function openDebThread(): DebThread {
  const worker = new Worker(workerUrl(), {
    resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 },
  });
  return {
    extract: async (path, dir) => {
      const job: Job = { path, dir };
      worker.postMessage(job);
      const [answer]: Answer[] = await once(worker, "message"); // rejects when the thread breaks down
      if (answer === undefined) throw new Error("a thread gave no answer");
      if ("fault" in answer) throw errorOf(answer.fault);
      return answer.unpackedBytes;
    },
    [Symbol.asyncDispose]: async () => void (await worker.terminate()),
  };
}

function errorOf({ message, code, twinseal }: Fault): Error {
  if (twinseal === undefined) return Object.assign(new Error(message), { code });
  const { kind, hint } = twinseal;
  return new TwinsealError(kind, code ?? "", message, hint === undefined ? {} : { hint });
}
