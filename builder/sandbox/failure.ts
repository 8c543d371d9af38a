import { TwinsealError } from "../errors.ts";

/** What init refused, by its code. */
export function refusal(code: string, text: string): TwinsealError {
  if (code === "CACHE_NOT_EMPTY") return new TwinsealError("alarm", code, text);
  if (code === "ENGINE_TOO_GENEROUS") {
    return new TwinsealError("world", code, text, {
      hint: "look at the engine's own settings (containers.conf, mounts.conf, daemon.json), or use --driver namespaces",
    });
  }
  return new TwinsealError("caller", code, text);
}

/** Names why a sandbox ended without having finished. */
export function sandboxFailure(code: number | null, signal: string | null, errors: string): TwinsealError {
  if (/uid_map|unshare failed|Operation not permitted/.test(errors) && /unshare/.test(errors)) {
    return new TwinsealError("world", "NAMESPACES_REFUSED", `this machine refuses user namespaces: ${errors}`, {
      hint: "run `twinseal doctor`; on Ubuntu 24.04: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    });
  }
  if (/no space left on device/i.test(errors)) {
    return new TwinsealError("world", "SCRATCH_FULL", `the sandbox ran out of space: ${errors}`);
  }
  if (signal === "SIGKILL" || code === 137) return outOfMemory();
  return new TwinsealError(
    "world",
    "SANDBOX_FAILED",
    `the sandbox ended with ${signal ?? `exit code ${code}`}: ${errors}`,
  );
}

function outOfMemory(): TwinsealError {
  return new TwinsealError("world", "KILLED", "the sandbox was killed, most likely by the kernel for lack of memory", {
    hint: "free memory, or build with --sequential",
  });
}
