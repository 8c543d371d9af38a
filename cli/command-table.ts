import type { Command } from "commander";
import type { CliDeps } from "./deps.ts";

export type CommandEntry = {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<(deps: CliDeps) => Command>;
};

/** All commands; a module is loaded only when its command is asked for. */
export const commandTable: readonly CommandEntry[] = [
  {
    name: "init",
    summary: "write a recipe for the Go project you stand in",
    load: async () => (await import("./commands/init.ts")).initCommand,
  },
  {
    name: "pin",
    summary: "resolve every input of a version and write its lock",
    load: async () => (await import("./commands/pin.ts")).pinCommand,
  },
  {
    name: "fetch",
    summary: "bring a lock's inputs into the store; the only step with network",
    load: async () => (await import("./commands/fetch.ts")).fetchCommand,
  },
  {
    name: "build",
    summary: "build twice, differently, and compare the bytes",
    load: async () => (await import("./commands/build.ts")).buildCommand,
  },
  {
    name: "compare",
    summary: "compare two runs made here or on two machines",
    load: async () => (await import("./commands/compare.ts")).compareCommand,
  },
  {
    name: "check",
    summary: "check recipes and locks without building",
    load: async () => (await import("./commands/check.ts")).checkCommand,
  },
  {
    name: "report",
    summary: "show a report, or render it again as HTML",
    load: async () => (await import("./commands/report.ts")).reportCommand,
  },
  {
    name: "doctor",
    summary: "say what this machine can do, and how to fix what it cannot",
    load: async () => (await import("./commands/doctor.ts")).doctorCommand,
  },
  {
    name: "store",
    summary: "verify the store or remove from it what no lock needs",
    load: async () => (await import("./commands/store.ts")).storeCommand,
  },
  {
    name: "completion",
    summary: "print a completion script for bash, zsh or fish",
    load: async () => (await import("./commands/completion.ts")).completionCommand,
  },
];
