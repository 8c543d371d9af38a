import { z } from "zod";
import { platformSchema } from "./platform.ts";
import { driverPattern } from "./sandbox/driver-choice.ts";

/** What both doors, CLI and Action, hand to `buildRecipe`; the descriptions are their help texts. */
export const buildOptionsSchema = z.strictObject({
  spec: z.string().min(1).optional().describe("recipe to build, as name or name@version; without it ./twinseal.yaml"),
  target: z.array(platformSchema).optional().describe("platforms to build for, as GOOS/GOARCH; default: the host's"),
  allTargets: z.boolean().default(false).describe("build for all targets of the recipe"),
  out: z.string().min(1).default("twinseal-out").describe("directory for artifacts, reports and runs"),
  sequential: z.boolean().default(false).describe("build B after A instead of at the same time"),
  offline: z.boolean().default(false).describe("never use the network; fail when the store lacks an input"),
  dryRun: z.boolean().default(false).describe("print both plans and their dimensions, and build nothing"),
  against: z
    .string()
    .min(1)
    .optional()
    .describe(
      "compare with a published file, a list of digests (sha256sum's format; looked up as NAME-vVERSION-OS-ARCH) or sha256:<digest>",
    ),
  driver: z
    .string()
    .regex(driverPattern, "write namespaces, oci, docker or podman, or two of them for A and B: namespaces,oci")
    .optional()
    .describe(
      "sandbox driver: namespaces, oci, docker or podman, or two of them for A and B; default: namespaces where they work, else oci",
    ),
  timeoutMinutes: z
    .number()
    .positive()
    .max(24 * 60)
    .default(120)
    .describe("time limit of one side's build, in minutes"),
});
export type BuildOptions = z.infer<typeof buildOptionsSchema>;
