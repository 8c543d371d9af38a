/**
 * What a sandbox driver is given and gives back. A sandbox's root file system is made from nothing but the named binds
 * and copies; a step has no network, no capability, no inherited variable or descriptor.
 */
export type SandboxBind = { readonly from: string; readonly to: string };

export type SandboxStep = {
  readonly id: string;
  /** argv[0] is an absolute path inside, or `inside` for our own helper program. */
  readonly argv: readonly string[];
  /** `NAME=value`; the step's whole environment. */
  readonly env: readonly string[];
  readonly dir: string;
  /** Directories that are made new for this step, and must be empty when it starts. */
  readonly fresh: readonly string[];
  /** Where the step writes go's action graph, or empty. */
  readonly graph: string;
};

/** Reasons why a container cannot vary a dimension, by dimension; told by init when it was asked to try. */
export type RefusedPowers = Readonly<Record<string, string>>;

/** Mirrors `Spec` in inside/spec.go. `from`, `root` and `outputTo` are paths of the host, all others of the sandbox. */
export type SandboxSpec = {
  readonly hostname: string;
  readonly domainname: string;
  readonly scratchBytes: number;
  readonly uid: number;
  readonly gid: number;
  readonly umask: number;
  /** Processors the steps may use; empty means all. */
  readonly cpus: readonly number[];
  readonly uname26: boolean;
  readonly fixedAddresses: boolean;
  readonly terminal: boolean;
  /** Process ids of the steps count from here; 0 leaves them. */
  readonly firstPid: number;
  readonly clock: { readonly seconds: number; readonly nanos: number } | null;
  /** Added to the boot and monotonic clocks; 0 leaves them. */
  readonly uptimeOffsetSeconds: number;
  /** Host directory whose files lie at / below everything else, read-only; empty: nothing. */
  readonly rootfs: string;
  readonly binds: readonly SandboxBind[];
  readonly source: {
    readonly from: string;
    readonly to: string;
    readonly reverseOrder: boolean;
    readonly timeSeconds: number;
    readonly readOnly: boolean;
  };
  readonly writable: readonly string[];
  readonly files: readonly { readonly path: string; readonly text: string }[];
  readonly steps: readonly SandboxStep[];
  readonly outputFrom: string;
  readonly outputTo: string;
  readonly outputs: readonly string[];
  readonly maxOutputBytes: number;
};

export type SandboxEvent =
  | { readonly event: "ready" }
  | { readonly event: "power"; readonly refused: RefusedPowers }
  | { readonly event: "start"; readonly step: string }
  | { readonly event: "output"; readonly step: string; readonly text: string }
  | { readonly event: "graph"; readonly step: string; readonly packages: readonly string[] }
  | { readonly event: "written"; readonly step: string; readonly sizeBytes: number }
  | {
      readonly event: "exit";
      readonly step: string;
      readonly exit?: number | undefined;
      readonly signal?: string | undefined;
      readonly peakRssBytes?: number | undefined;
      readonly cpuMs?: number | undefined;
    }
  | { readonly event: "error"; readonly step: string; readonly text: string }
  | { readonly event: "done"; readonly files: readonly string[] };

export type DriverId = "namespaces" | "docker" | "podman";

export type SandboxRun = {
  /** Directory for the driver's own files; emptied by the caller afterwards. */
  readonly workDir: string;
  readonly timeoutMs: number;
  readonly onEvent: (event: SandboxEvent) => void;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Runs the steps of one sandbox to their end. Resolves with the names of the outputs that were copied; a step that
 * fails is told through its `exit` event. Throws when the sandbox itself could not be made or was killed.
 */
export type SandboxDriver = {
  readonly id: DriverId;
  readonly tools: Readonly<Record<string, string>>;
  readonly run: (spec: SandboxSpec, run: SandboxRun) => Promise<readonly string[]>;
};
