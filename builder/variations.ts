import { noise } from "./noise.ts";
import type { DimensionId } from "./dimensions.ts";

/** One side's environment: every value that can differ between the two sandboxes. Paths are the sandbox's. */
export type Variation = {
  readonly sourcePath: string;
  readonly resultPath: string;
  readonly moduleCachePath: string;
  readonly proxyPath: string;
  readonly buildCachePath: string;
  readonly goroot: string;
  readonly home: string;
  readonly tmpdir: string;
  readonly uid: number;
  readonly userName: string;
  readonly gid: number;
  readonly umask: number;
  readonly hostname: string;
  readonly domainname: string;
  readonly timezone: string;
  readonly lang: string;
  readonly lcAll: string;
  readonly noise: Readonly<Record<string, string>>;
  readonly pathOrder: "toolchain-first" | "toolchain-last";
  readonly cpus: readonly number[];
  readonly gogc: string;
  /** GOMEMLIMIT, bytes: from there on the collector works whatever GOGC says. */
  readonly memoryLimitBytes: number;
  readonly reverseOrder: boolean;
  readonly fileTimeSeconds: number;
  /** Taken from the scratch that the host gives each side. */
  readonly scratchLessBytes: number;
  readonly uname26: boolean;
  readonly fixedAddresses: boolean;
  readonly terminal: boolean;
  /** Processes are numbered from here; a fresh PID namespace, with its small and thus often equal numbers, begins at 0. */
  readonly firstPid: number;
  readonly uptimeOffsetSeconds: number;
  readonly clock: { readonly seconds: number; readonly nanos: number } | null;
};

/** Reasons for dimensions that are not varied. */
export type Unvaried = Readonly<Partial<Record<DimensionId, string>>>;

/** What this machine and driver can vary. */
export type VaryingPower = {
  readonly cpuCount: number;
  /** What the processes of one side may use together. */
  readonly memoryBytes: number;
  /** What the driver cannot vary; all else it can. */
  readonly unvaried: Unvaried;
};

export type Variations = {
  readonly a: Variation;
  readonly b: Variation;
  /** Dimensions that cannot be varied here, with the reason. */
  readonly unvaried: Unvaried;
  /** Dimensions the recipe fixes, with its reason. */
  readonly fixed: Unvaried;
};

const DAY_SECONDS = 86_400;

/** 400 days and odd hours, minutes and seconds, so that every field of a date differs. */
export const CLOCK_OFFSET = { seconds: 400 * DAY_SECONDS + 7 * 3600 + 13 * 60 + 17, nanos: 123_456_789 } as const;

const MIN_PROCESS_BYTES = 512 * 1024 ** 2;
const MAX_PROCESS_BYTES = 3 * 1024 ** 3;

const reference: Variation = {
  sourcePath: "/build/source",
  resultPath: "/build/result",
  moduleCachePath: "/build/modules",
  proxyPath: "/build/proxy",
  buildCachePath: "/build/cache",
  goroot: "/usr/local/go",
  home: "/home/builder",
  tmpdir: "/tmp",
  uid: 1000,
  userName: "builder",
  gid: 1000,
  umask: 0o022,
  hostname: "reference",
  domainname: "example.test",
  timezone: "UTC",
  lang: "C",
  lcAll: "C",
  noise: {},
  pathOrder: "toolchain-first",
  cpus: [],
  // The compiler's own collector costs an eighth of a build; memory is bounded by GOMEMLIMIT instead.
  gogc: "6400",
  memoryLimitBytes: MAX_PROCESS_BYTES,
  reverseOrder: false,
  fileTimeSeconds: 1_600_000_000,
  scratchLessBytes: 0,
  uname26: false,
  fixedAddresses: false,
  terminal: false,
  firstPid: 0,
  uptimeOffsetSeconds: 0,
  clock: null,
};

const other: Variation = {
  sourcePath: "/srv/second-builder/deep/er/tree",
  resultPath: "/srv/second-builder/made",
  moduleCachePath: "/var/lib/second/gomod",
  proxyPath: "/var/lib/second/offered",
  buildCachePath: "/var/cache/second/compiled",
  goroot: "/opt/toolchains/go",
  home: "/users/zoe",
  tmpdir: "/var/tmp/scratch",
  uid: 4242,
  userName: "zoe",
  gid: 777,
  umask: 0o077,
  hostname: "second-machine-with-a-longer-name",
  domainname: "elsewhere.invalid",
  timezone: "Pacific/Chatham",
  lang: "tr_TR.UTF-8",
  lcAll: "tr_TR.UTF-8",
  noise,
  pathOrder: "toolchain-last",
  cpus: [],
  gogc: "off",
  memoryLimitBytes: (MAX_PROCESS_BYTES * 2) / 3,
  reverseOrder: true,
  fileTimeSeconds: 987_654_321,
  scratchLessBytes: 123 * 1024 ** 2,
  uname26: true,
  fixedAddresses: true,
  terminal: true,
  firstPid: 23_000,
  uptimeOffsetSeconds: 33_333_333,
  clock: CLOCK_OFFSET,
};

/** The keys of a variation that belong to a dimension; a dimension without keys is not in our hands. */
const keysOf: Readonly<Record<DimensionId, readonly (keyof Variation)[]>> = {
  "source-path": ["sourcePath", "resultPath"],
  "module-cache-path": ["moduleCachePath", "proxyPath"],
  "build-cache-path": ["buildCachePath"],
  goroot: ["goroot"],
  home: ["home"],
  tmpdir: ["tmpdir"],
  user: ["uid", "userName"],
  group: ["gid"],
  umask: ["umask"],
  hostname: ["hostname"],
  domainname: ["domainname"],
  timezone: ["timezone"],
  locale: ["lang", "lcAll"],
  environment: ["noise"],
  "path-order": ["pathOrder"],
  "cpu-count": ["cpus"],
  gc: ["gogc", "memoryLimitBytes"],
  "directory-order": ["reverseOrder"],
  "file-times": ["fileTimeSeconds"],
  "scratch-size": ["scratchLessBytes"],
  "kernel-release": ["uname26"],
  aslr: ["fixedAddresses"],
  terminal: ["terminal"],
  "process-ids": ["firstPid"],
  uptime: ["uptimeOffsetSeconds"],
  time: ["clock"],
  "cpu-model": [],
  "memory-size": [],
  driver: [],
};

/** Chooses both sides' environments: B differs in everything the machine allows and the recipe does not fix. */
export function planVariations(
  power: VaryingPower,
  fix: Readonly<Partial<Record<DimensionId, string | undefined>>>,
): Variations {
  const unvaried: Unvaried = {
    "cpu-model": "the same processor; its cpuid instruction cannot be hidden",
    "memory-size": "the same machine; sysinfo tells its memory",
    ...(power.cpuCount < 2 ? { "cpu-count": "this machine has one processor" } : {}),
    ...power.unvaried,
  };
  const fixed = definedReasons(fix);
  const memoryLimitBytes = processBytes(power);
  const a: Variation = { ...reference, memoryLimitBytes };
  const b: Variation = {
    ...other,
    cpus: allButOne(power.cpuCount),
    memoryLimitBytes: Math.floor((memoryLimitBytes * 2) / 3),
  };
  const same = { ...unvaried, ...fixed };
  return {
    a,
    b: (Object.keys(keysOf) as DimensionId[])
      .filter((id) => id in same)
      .flatMap((id) => keysOf[id])
      .reduce((variation, key) => ({ ...variation, [key]: a[key] }), b),
    unvaried,
    fixed,
  };
}

/** Half of the memory for as many compilers as there are processors; the rest is for what they write. */
function processBytes({ memoryBytes, cpuCount }: VaryingPower): number {
  const share = Math.floor(memoryBytes / (2 * cpuCount));
  return Math.min(MAX_PROCESS_BYTES, Math.max(MIN_PROCESS_BYTES, share));
}

/** B sees one processor less, so that neither side starves: A cannot take those B runs on for itself alone. */
function allButOne(cpuCount: number): readonly number[] {
  return Array.from({ length: Math.max(cpuCount - 1, 1) }, (_, index) => index + (cpuCount > 1 ? 1 : 0));
}

function definedReasons(
  fix: Readonly<Partial<Record<DimensionId, string | undefined>>>,
): Partial<Record<DimensionId, string>> {
  const reasons: Partial<Record<DimensionId, string>> = {};
  for (const id of Object.keys(fix) as DimensionId[]) {
    const reason = fix[id];
    if (reason !== undefined) reasons[id] = reason;
  }
  return reasons;
}
