import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { actionCommands } from "../../actions/inputs.ts";
import { outputNames } from "../../actions/outputs.ts";
import { buildOptionsSchema } from "../../builder/build-options.ts";
import { commandTable } from "../../cli/command-table.ts";
import { createDeps } from "../../cli/deps.ts";
import { doorInputs, loadDoors, renderCommandTable, renderFlagTable, type Door } from "../../scripts/doors.ts";
import { packageRoot } from "../cli/program.ts";

const actionSchema = z.looseObject({
  inputs: z.record(z.string(), z.unknown()),
  outputs: z.record(z.string(), z.unknown()),
});
const readme = readFileSync(join(packageRoot, "README.md"), "utf8");
const action = actionSchema.parse(parse(readFileSync(join(packageRoot, "action.yml"), "utf8")));

let doors: readonly Door[] = [];
beforeAll(async () => {
  const silent = { write: () => {} };
  const signal = new AbortController().signal;
  const world = {
    env: {},
    cwd: packageRoot,
    packageRoot,
    toolVersion: "0",
    json: false,
    signal,
    stdout: silent,
    stderr: silent,
  };
  doors = await loadDoors(createDeps({ ...world, setExitCode: () => {} }));
});

test("every operation but those for a person at a terminal is reachable from both doors", () => {
  const terminalOnly = ["store path", "init", "completion"];
  expect(doors.map((door) => door.name).toSorted()).toEqual([...actionCommands, ...terminalOnly].toSorted());
});

test("action.yml has exactly the inputs that the commands' flags and arguments mean", () => {
  expect(Object.keys(action.inputs)).toEqual(["command", ...doorInputs(doors).map((input) => input.name)]);
});

test("action.yml has exactly the outputs that are set", () => {
  expect(Object.keys(action.outputs)).toEqual([...outputNames]);
});

test("the build command's flags are exactly the keys of its schema", () => {
  const build = doors.find((door) => door.name === "build");
  const flags = [
    ...(build?.command.registeredArguments ?? []).map((one) => one.name()),
    ...(build?.command.options ?? []).map((one) => one.attributeName()),
  ];
  expect(flags.toSorted()).toEqual(Object.keys(buildOptionsSchema.shape).toSorted());
});

test("README's tables are those of the commands", () => {
  expect(readme).toContain(renderCommandTable());
  expect(readme).toContain(renderFlagTable(doors));
});

test("every flag and argument says what it means", () => {
  for (const { name, command } of doors) {
    for (const one of [...command.options, ...command.registeredArguments]) {
      expect(one.description, `${name} ${one.name()}`).not.toBe("");
    }
  }
});

test("a command's name in the table is its own", async () => {
  for (const entry of commandTable) expect(doors.some((door) => door.name.split(" ")[0] === entry.name)).toBe(true);
});
