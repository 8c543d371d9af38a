import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { TwinsealError, messageOf, systemCodeOf } from "../errors.ts";
import type { SandboxSpec } from "./driver.ts";
import type { ReceiveFile } from "./events.ts";

/** Writes the outputs that a container sends, and closes what was left open with its scope. */
export type ReceivedFiles = AsyncDisposable & { readonly receive: ReceiveFile };

/**
 * Takes the planned names only, each once, and no more bytes than planned: what a container says is believed as little
 * as what it built. Throws `caller/OUTPUT_TOO_LARGE`, `world/DISK_FULL`, `world/SANDBOX_FAILED`.
 */
export function receiveFiles(spec: Pick<SandboxSpec, "outputs" | "outputTo" | "maxOutputBytes">): ReceivedFiles {
  let leftBytes = spec.maxOutputBytes;
  const opened = new Set<FileHandle>();
  const receive: ReceiveFile = async ({ name, sizeBytes, executable }) => {
    if (!spec.outputs.includes(name)) {
      throw new TwinsealError("world", "SANDBOX_FAILED", `the sandbox sent a file that nobody asked for: ${name}`);
    }
    leftBytes -= sizeBytes;
    if (leftBytes < 0) {
      throw new TwinsealError("caller", "OUTPUT_TOO_LARGE", "the outputs are larger than the limit");
    }
    // The mode tells only whether it can be run: the build's umask is one of the variations.
    const file = await open(join(spec.outputTo, name), "wx");
    opened.add(file);
    await file.chmod(executable ? 0o755 : 0o644); // whatever our own umask
    return {
      write: async (bytes) => {
        for (let done = 0; done < bytes.length;) done += (await written(file, bytes, done)).bytesWritten;
      },
      close: async () => {
        await file.datasync();
        await file.close();
        opened.delete(file);
      },
    };
  };
  return {
    receive,
    [Symbol.asyncDispose]: async () => {
      for (const file of opened) await file.close();
    },
  };
}

async function written(file: FileHandle, bytes: Buffer, done: number): Promise<{ bytesWritten: number }> {
  try {
    return await file.write(bytes, done);
  } catch (error) {
    const code = systemCodeOf(error);
    if (code !== "ENOSPC" && code !== "EDQUOT") throw error;
    throw new TwinsealError("world", "DISK_FULL", `writing an output: ${messageOf(error)}`, {
      cause: error,
      hint: "free some space, or choose another --out",
    });
  }
}
