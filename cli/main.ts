import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command, CommanderError } from "commander";
import { TwinsealError, systemCodeOf } from "../builder/errors.ts";
import { commandTable, type CommandEntry } from "./command-table.ts";
import { createDeps, type CliDeps } from "./deps.ts";
import { exitCodeHelp, exitCodeOf, type ExitCode } from "./exit.ts";
import { renderDocument } from "./json.ts";
import { assertStartable } from "./startable.ts";
import { renderError, tellError } from "./voice.ts";

export type MainOptions = { readonly packageRoot: string };

/** Runs one command line to its end and returns the exit code. Never throws; prints every error in our voice. */
export async function main(argv: readonly string[], options: MainOptions): Promise<ExitCode> {
  const { json, rest } = takeJson(argv);
  const stop = new AbortController();
  const release = watchSignals(stop);
  for (const stream of [process.stdout, process.stderr]) stream.on("error", ignoreClosedPipe);
  let exitCode: ExitCode = 0;
  const setExitCode = (code: ExitCode) => {
    exitCode = code;
  };
  try {
    assertStartable(process);
    const deps = createDeps({
      env: process.env,
      cwd: process.cwd(),
      packageRoot: options.packageRoot,
      toolVersion: versionOf(options.packageRoot),
      json,
      signal: stop.signal,
      stdout: process.stdout,
      stderr: process.stderr,
      setExitCode,
    });
    const program = await createProgram(rest, deps);
    await program.parseAsync([...rest], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0; // --help
    const fault = error instanceof CommanderError ? usageError(error) : error;
    const told = tellError(fault);
    exitCode = exitCodeOf(fault);
    if (json) {
      const { code, ...document } = told;
      process.stdout.write(renderDocument({ exitCode, code, document }));
    } else process.stderr.write(renderError(told));
  } finally {
    release();
  }
  return exitCode;
}

/** The program with the one command that was asked for; all others are names and summaries for help and suggestions. */
export async function createProgram(argv: readonly string[], deps: CliDeps): Promise<Command> {
  const program = new Command("twinseal")
    .description(
      "Pins every input of a Go build, builds it twice in two different hermetic sandboxes and compares the bytes.",
    )
    .exitOverride()
    .configureOutput({ writeErr: (text) => deps.say(text.trimEnd()), outputError: () => {} })
    .helpCommand(false)
    .option("-V, --version", "print the version")
    .option("--json", "print one JSON document on standard output")
    .addHelpText("after", `\n${exitCodeHelp}`);
  const asked = argv.find((argument) => !argument.startsWith("-"));
  for (const entry of commandTable) {
    program.addCommand(
      entry.name === asked ? await loadCommand(entry, deps, program) : new Command(entry.name).summary(entry.summary),
    );
  }
  return program;
}

/** A command as it is in use: with our settings, and `--json` in its help. */
export async function loadCommand(entry: CommandEntry, deps: CliDeps, program: Command): Promise<Command> {
  const command = (await entry.load())(deps);
  inherit(command, program);
  return command.summary(entry.summary);
}

function inherit(command: Command, program: Command): void {
  command.copyInheritedSettings(program);
  command.helpCommand(false);
  if (command.commands.length === 0) command.option("--json", "print one JSON document on standard output");
  command.addHelpText("after", `\n${exitCodeHelp}`);
  for (const child of command.commands) inherit(child, program);
}

/** A reader that went away (`| head -1`) is no failure of ours. */
function ignoreClosedPipe(error: Error): void {
  if (systemCodeOf(error) === "EPIPE") return;
  process.stderr.write(`twinseal: writing to standard output: ${error.message}\n`);
  process.exit(3);
}

/** `--json` may stand anywhere before `--`. */
function takeJson(argv: readonly string[]): { json: boolean; rest: readonly string[] } {
  const end = argv.indexOf("--");
  const own = end < 0 ? argv : argv.slice(0, end);
  return {
    json: own.includes("--json"),
    rest: [...own.filter((argument) => argument !== "--json"), ...argv.slice(own.length)],
  };
}

/** commander's `error: unknown option '--ouT'\n(Did you mean --out?)` in our voice. */
function usageError(error: CommanderError): TwinsealError {
  const [first = "", ...more] = error.message.split("\n");
  const suggestion = /^\((.*)\)$/.exec(more.join(" ").trim())?.[1];
  const hint =
    suggestion === undefined ? "see twinseal --help" : suggestion.charAt(0).toLowerCase() + suggestion.slice(1);
  const message = error.code === "commander.help" ? "no command given" : first.replace(/^error: /, "");
  return new TwinsealError("caller", "USAGE", message, { hint });
}

function versionOf(packageRoot: string): string {
  const manifest: unknown = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
  return typeof manifest === "object" && manifest !== null && "version" in manifest
    ? String(manifest.version)
    : "unknown";
}

/** A second Ctrl-C within this time is the same one, come by two ways: the terminal and bin.js. */
const SAME_SIGNAL_MS = 500;
const LONGEST_ENDING_MS = 15_000;

/** The first signal asks everything to end, a later one ends at once. Returns how to stop watching. */
function watchSignals(stop: AbortController): () => void {
  let firstAt: number | undefined;
  const onSignal = () => {
    if (firstAt === undefined) {
      firstAt = Date.now();
      setTimeout(() => process.exit(3), LONGEST_ENDING_MS).unref();
      stop.abort();
    } else if (Date.now() - firstAt > SAME_SIGNAL_MS) process.exit(3);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
}
