import type { Command, Option } from "commander";
import { TwinsealError } from "../builder/errors.ts";

/** The value of an input of action.yml, or an empty string. */
export type ReadInput = (name: string) => string;

/** Commands that make sense in a workflow. */
export const actionCommands = [
  "build",
  "compare",
  "check",
  "fetch",
  "pin",
  "report",
  "doctor",
  "store verify",
  "store gc",
] as const;
export type ActionCommand = (typeof actionCommands)[number];

export function readCommand(read: ReadInput): ActionCommand {
  const asked = read("command");
  const known = actionCommands.find((command) => command === asked);
  if (known !== undefined) return known;
  throw new TwinsealError("caller", "INPUT_INVALID", `input command: ${JSON.stringify(asked)} is no command`, {
    hint: `write one of ${actionCommands.join(", ")}`,
  });
}

/**
 * The command line that the inputs mean. An option's input has the option's name, a positional argument's its own; so
 * what a flag can say an input can say, and both go through the command's own schema.
 */
export function inputsToArgv(command: Command, read: ReadInput): readonly string[] {
  const options = command.options.flatMap((option) => optionArgv(option, read(inputName(option))));
  const places = command.registeredArguments.map((argument) => read(argumentInput(argument.name())));
  const given = places.findLastIndex((value) => value !== "") + 1;
  const positionals = command.registeredArguments
    .slice(0, given)
    .flatMap((argument, index) => (argument.variadic ? wordsOf(places[index] ?? "") : [places[index] ?? ""]));
  return [...options, ...(positionals.length > 0 ? ["--", ...positionals] : [])];
}

/** The recipe to work on is called `spec` on the command line, where it may be left out. */
export function argumentInput(name: string): string {
  return name === "spec" ? "recipe" : name;
}

/** `--all-targets` is input `all-targets`. */
export function inputName(option: Option): string {
  return (option.long ?? option.flags).replace(/^--/, "");
}

function optionArgv(option: Option, value: string): readonly string[] {
  if (value === "" || option.long === undefined) return [];
  if (option.isBoolean()) return readSwitch(inputName(option), value) ? [option.long] : [];
  // One argv entry, so that a value which starts with a dash cannot become another option.
  return (takesMany(option) ? wordsOf(value) : [value]).map((word) => `${option.long}=${word}`);
}

/** Options that may be given several times; the input separates values by white space. */
function takesMany(option: Option): boolean {
  return option.variadic || option.long === "--target" || option.long === "--lock";
}

function readSwitch(name: string, value: string): boolean {
  if (/^(true|True|TRUE)$/.test(value)) return true;
  if (/^(false|False|FALSE)$/.test(value)) return false;
  throw new TwinsealError(
    "caller",
    "INPUT_INVALID",
    `input ${name}: ${JSON.stringify(value)} is neither true nor false`,
  );
}

function wordsOf(value: string): readonly string[] {
  return value.split(/\s+/).filter((word) => word !== "");
}
