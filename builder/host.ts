import { availableParallelism, freemem, release } from "node:os";
import { TwinsealError } from "./errors.ts";
import { hostSchema, type Host } from "./platform.ts";

/** What of this machine a build depends on. */
export type HostFacts = {
  readonly platform: Host;
  readonly kernel: string;
  readonly cpuCount: number;
  readonly availableBytes: number;
};

const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** Reads this machine's facts; throws `world/HOST_UNSUPPORTED` where no sandbox driver exists. */
export function readHost(): HostFacts {
  const platform = hostSchema.safeParse(`${process.platform}/${architectures[process.arch] ?? process.arch}`);
  if (!platform.success) {
    throw new TwinsealError("world", "HOST_UNSUPPORTED", `no build on ${process.platform}/${process.arch}`, {
      hint: "build on Linux, amd64 or arm64; comparing and reading reports works everywhere",
    });
  }
  return {
    platform: platform.data,
    kernel: release(),
    cpuCount: availableParallelism(),
    // A container's limit counts where it is lower.
    availableBytes: Math.min(freemem(), process.availableMemory()),
  };
}
