import type { Unvaried, VaryingPower } from "../variations.ts";
import type { DriverChoice } from "./driver-choice.ts";
import type { RefusedPowers } from "./driver.ts";
import type { EngineName } from "./engine.ts";

/** What the driver can vary; processors and memory are the host's. */
export type DriverPower = Omit<VaryingPower, "cpuCount" | "memoryBytes">;

/** What is known of a choice before anything was tried, for a plan that is only shown. */
export function plannedPower({ a, b }: DriverChoice, arch: string): DriverPower {
  const clock: Unvaried = arch === "x64" ? {} : { time: "the clock can be shifted on amd64 hosts only, for now" };
  const own = b === undefined || b === "namespaces" ? {} : containerLimits(b === "oci" ? undefined : b, {});
  return { unvaried: { ...clock, ...own, ...sameDriver(a, b) } };
}

export function sameDriver(a: string | undefined, b: string | undefined): Unvaried {
  return a === b ? { driver: "both sides ran under the same driver" } : {};
}

/** What a container cannot vary: what engines have no option for, and what this one refused. */
export function containerLimits(engine: EngineName | undefined, refused: RefusedPowers): Unvaried {
  const what = engine ?? "a container engine";
  const said = (reason: string | undefined, of: string) =>
    reason === undefined ? undefined : `${what} forbids it: ${of}: ${reason}`;
  const reasons = {
    uptime: `${what} makes no time namespace`,
    "process-ids": `${what} leaves no right to choose process ids`,
    domainname: engine === "podman" ? "podman has no option for a domain name" : undefined,
    time: said(refused["time"], "shifting the clock"),
    "kernel-release": said(refused["kernel-release"], "another kernel release"),
    aslr: said(refused["aslr"], "fixed addresses"),
  };
  return Object.fromEntries(Object.entries(reasons).filter(([, reason]) => reason !== undefined));
}
