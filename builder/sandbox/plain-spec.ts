import type { SandboxSpec } from "./driver.ts";

/** A sandbox with nothing in it, nothing to do and nothing varied, for those who want little of one. */
export function plainSpec(outputTo: string): SandboxSpec {
  return {
    hostname: "plain",
    domainname: "example.test",
    scratchBytes: 1 << 20,
    uid: 4242,
    gid: 777,
    umask: 0o022,
    cpus: [],
    uname26: false,
    fixedAddresses: false,
    terminal: false,
    firstPid: 0,
    clock: null,
    uptimeOffsetSeconds: 0,
    rootfs: "",
    binds: [],
    source: { from: "", to: "/source", reverseOrder: false, timeSeconds: 0, readOnly: false },
    writable: [],
    files: [],
    steps: [],
    outputFrom: "/result",
    outputTo,
    outputs: [],
    maxOutputBytes: 0,
  };
}
