import { readFile } from "node:fs/promises";
import { z } from "zod";
import { TwinsealError } from "./errors.ts";

/**
 * The file that `go build -debug-actiongraph=FILE` writes (exec.go of cmd/go's package work, actionJSON). It is written
 * inside the sandbox by what is being built: evidence against a run, never for it.
 */
const actionSchema = z.object({
  ID: z.int(),
  Mode: z.string(),
  Package: z.string().optional().default(""),
  Deps: z
    .array(z.int())
    .nullish()
    .transform((deps) => deps ?? []),
  ActionID: z.string().optional(),
  BuildID: z.string().optional(),
  Cmd: z
    .array(z.string())
    .nullish()
    .transform((lines) => lines ?? []),
});
export type Action = z.infer<typeof actionSchema>;

export type ActionGraph = {
  readonly actions: readonly Action[];
  /** Build actions, and those of them that ran a compiler. */
  readonly total: number;
  readonly compiled: number;
  /** Whether there is one link action, and it ran the linker. */
  readonly linked: boolean;
  readonly packages: readonly string[];
};

const MAX_GRAPH_BYTES = 256 * 1024 ** 2;
const linkCommand = /(^|\/)(link|link\.exe) -o /;
const compileCommand = /(^|\/)(compile|compile\.exe) -o /;

/** Throws `verdict/ACTION_GRAPH_INVALID` for a graph that is missing, does not parse or has no build action. */
export async function readActionGraph(path: string): Promise<ActionGraph> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > MAX_GRAPH_BYTES) throw new RangeError("it is too large");
    return parseActionGraph(bytes.toString("utf8"));
  } catch (error) {
    if (error instanceof TwinsealError) throw error;
    throw invalid(error instanceof Error ? error.message : String(error), error);
  }
}

export function parseActionGraph(text: string): ActionGraph {
  const parsed = z.array(actionSchema).safeParse(JSON.parse(text));
  if (!parsed.success) throw invalid(z.prettifyError(parsed.error), parsed.error);
  const builds = parsed.data.filter(({ Mode }) => Mode === "build");
  if (builds.length === 0) throw invalid("it has no build action", undefined);
  const [link, ...more] = parsed.data.filter(({ Mode }) => Mode === "link");
  return {
    actions: parsed.data,
    linked: more.length === 0 && link?.Cmd.some((line) => linkCommand.test(line)) === true,
    total: builds.length,
    compiled: builds.filter(({ Cmd }) => Cmd.some((line) => compileCommand.test(line))).length,
    packages: builds.map((action) => action.Package),
  };
}

function invalid(why: string, cause: unknown): TwinsealError {
  return new TwinsealError("verdict", "ACTION_GRAPH_INVALID", `reading the action graph: ${why}`, {
    cause,
    hint: "without it nobody knows what was compiled, so the run does not count",
  });
}

/** A flag that lets a compiler make code for the processor that it runs on: the same bytes here, others elsewhere. */
const hostTunedFlag = /(?:^|[\s"'=])(-m(?:arch|tune|cpu)=native)(?=$|[\s"'])/;

/** The first package that a compiler made for this very machine. */
export function hostTuned(graph: ActionGraph): { readonly package: string; readonly flag: string } | undefined {
  for (const action of graph.actions) {
    for (const line of action.Cmd) {
      const flag = hostTunedFlag.exec(line)?.[1];
      if (flag !== undefined) return { package: action.Package, flag };
    }
  }
  return undefined;
}

export type DivergentPackage = {
  readonly package: string;
  readonly why: "same inputs, other content" | "other inputs";
};

/** The packages where two builds first part: their own result differs and none of their dependencies' does. */
export function firstDivergent(a: ActionGraph, b: ActionGraph): readonly DivergentPackage[] {
  const other = new Map(b.actions.map((action) => [`${action.Mode} ${action.Package}`, action]));
  const differs = new Map<number, boolean>();
  for (const action of a.actions) {
    const twin = other.get(`${action.Mode} ${action.Package}`);
    differs.set(action.ID, twin !== undefined && contentOf(action) !== contentOf(twin));
  }
  return a.actions
    .filter(
      ({ ID, Deps, Mode }) =>
        (Mode === "build" || Mode === "link") &&
        differs.get(ID) === true &&
        !Deps.some((dep) => differs.get(dep) === true),
    )
    .map((action) => ({
      package: action.Package,
      why:
        action.ActionID === other.get(`${action.Mode} ${action.Package}`)?.ActionID
          ? "same inputs, other content"
          : "other inputs",
    }));
}

/** A build id is `action/content` (a link's has four parts): the last part is of the content alone. */
function contentOf(action: Action): string {
  return action.BuildID?.split("/").at(-1) ?? "";
}
