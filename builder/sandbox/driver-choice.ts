import { TwinsealError } from "../errors.ts";
import type { Environment } from "./engine.ts";
import { findEngine, type Engine } from "./engine.ts";

/** What `--driver` can name; `oci` is whichever of docker and podman answers, in this order. */
export const driverNames = ["namespaces", "oci", "docker", "podman"] as const;
export type DriverName = (typeof driverNames)[number];

/** One name for both sides or two, for A and B; nothing, also as an empty text, lets the machine decide. */
export const driverPattern = new RegExp(`^((${driverNames.join("|")})(,(${driverNames.join("|")}))?)?$`);

export type DriverChoice = { readonly a: DriverName | undefined; readonly b: DriverName | undefined };

/** Pure. Throws `caller/DRIVER_UNKNOWN` for a text that `driverPattern` refuses. */
export function chooseDrivers(text: string | undefined): DriverChoice {
  if (text === undefined || text === "") return { a: undefined, b: undefined };
  const [a, b = a] = text.split(",").map((name) => driverNames.find((known) => known === name));
  if (!driverPattern.test(text)) {
    throw new TwinsealError("caller", "DRIVER_UNKNOWN", `no driver ${JSON.stringify(text)}`, {
      hint: `write one of ${driverNames.join(", ")}, or two of them for A and B: namespaces,oci`,
    });
  }
  return { a, b };
}

/** The first engine that answers. Throws the first one's reason when none does, and says the other's in its hint. */
export async function findAnyEngine(env: Environment, uid: number): Promise<Engine> {
  try {
    return await findEngine("docker", env, uid);
  } catch (first) {
    try {
      return await findEngine("podman", env, uid);
    } catch (second) {
      throw missingBoth(first, second);
    }
  }
}

/** An engine that is there and does not work says more than one that is not there. */
function missingBoth(docker: unknown, podman: unknown): unknown {
  const isMissing = (error: unknown) => error instanceof TwinsealError && error.code === "ENGINE_MISSING";
  return isMissing(docker) && !isMissing(podman) ? podman : docker;
}
