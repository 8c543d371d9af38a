import { visibleValues } from "../builder/coherent-run.ts";
import { dimensions } from "../builder/dimensions.ts";
import type { PlannedTarget } from "../builder/build-target.ts";
import type { Variation } from "../builder/variations.ts";

/** `--dry-run` for people: both plans' steps and a table of the dimensions with their two values. */
export function renderPlannedTarget(target: PlannedTarget): string {
  const { a, b } = target.plans;
  return [
    `plan for ${a.name} ${a.version} ${target.platform}`,
    ...[a, b].flatMap((plan) => [
      "",
      `  ${plan.side.toUpperCase()}:`,
      ...plan.steps.flatMap((step) => [
        `    ${step.id}: cd ${step.dir}`,
        `      ${step.argv.map(quoteArgument).join(" ")}`,
        ...(step.id === "build"
          ? Object.entries(step.env).map(([name, value]) => `      ${name}=${quoteArgument(value)}`)
          : []),
      ]),
    ]),
    "",
    "  dimensions:",
    ...dimensionRows(target).map(([id, left, right]) => `    ${id.padEnd(18)} ${left.padEnd(44)} ${right}`),
    "",
  ].join("\n");
}

function dimensionRows(target: PlannedTarget): readonly (readonly [string, string, string])[] {
  const { variations } = target;
  return [
    ["", "A", "B"],
    ...dimensions.map(({ id }): readonly [string, string, string] => {
      const reason = variations.fixed[id] ?? variations.unvaried[id];
      if (reason !== undefined) return [id, "not varied", reason];
      return [id, plannedValue(id, variations.a), plannedValue(id, variations.b)];
    }),
  ];
}

type DimensionId = (typeof dimensions)[number]["id"];

/** What a dimension is planned to be, in words. */
function plannedValue(id: DimensionId, v: Variation): string {
  const values: Readonly<Record<DimensionId, string>> = {
    ...visibleValues(v),
    "source-path": v.sourcePath,
    domainname: v.domainname,
    timezone: v.timezone,
    environment: Object.keys(v.noise).join(" ") || "nothing more",
    "path-order": v.pathOrder,
    "cpu-count": v.cpus.length === 0 ? "all processors" : `${v.cpus.length} of them`,
    gc: `GOGC=${v.gogc} GOMEMLIMIT=${v.memoryLimitBytes}`,
    // A tmpfs lists what was made last first.
    "directory-order": v.reverseOrder ? "by name" : "reverse",
    "file-times": new Date(v.fileTimeSeconds * 1000).toISOString(),
    "scratch-size": v.scratchLessBytes === 0 ? "what memory allows" : `${v.scratchLessBytes / 1024 ** 2} MiB less`,
    "kernel-release": v.uname26 ? "2.6.x" : "the kernel's own",
    aslr: v.fixedAddresses ? "fixed addresses" : "random addresses",
    terminal: v.terminal ? "a private terminal" : "/dev/null",
    "process-ids": `from ${v.firstPid}`,
    uptime: v.uptimeOffsetSeconds === 0 ? "the machine's" : `${v.uptimeOffsetSeconds} s later`,
    time: v.clock === null ? "now" : `${v.clock.seconds} s later`,
    "cpu-model": "",
    "memory-size": "",
    driver: "as --driver says",
  };
  return values[id];
}

function quoteArgument(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
