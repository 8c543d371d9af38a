import type { BuildKeys } from "./recipe/schema.ts";

/** What the go command is told of C: the pinned compiler by its whole path, never one that PATH finds. */
export function cgoEnvironment({ cgo, cc, cxx }: BuildKeys): Record<string, string> {
  if (cgo !== true) return { CGO_ENABLED: "0" };
  return { CGO_ENABLED: "1", CC: `/usr/bin/${cc ?? "gcc"}`, CXX: `/usr/bin/${cxx ?? "g++"}` };
}
