import type { Command } from "commander";
import { actionCommands, argumentInput, inputName, type ActionCommand } from "../actions/inputs.ts";
import { commandTable } from "../cli/command-table.ts";
import type { CliDeps } from "../cli/deps.ts";

/** One input of action.yml: what the commands that know it say of it. */
export type DoorInput = { readonly name: string; readonly commands: readonly ActionCommand[]; readonly about: string };

/** A command of the CLI as both doors see it. */
export type Door = { readonly name: string; readonly summary: string; readonly command: Command };

/** Loads every command; nothing of the world is touched, since no action runs. */
export async function loadDoors(deps: CliDeps): Promise<readonly Door[]> {
  const doors = await Promise.all(
    commandTable.map(async (entry) => ({
      name: entry.name,
      summary: entry.summary,
      command: (await entry.load())(deps),
    })),
  );
  return doors.flatMap((door) =>
    door.command.commands.length === 0
      ? [door]
      : door.command.commands.map((child) => ({
          name: `${door.name} ${child.name()}`,
          summary: child.description(),
          command: child,
        })),
  );
}

/** All inputs of the Action, in the order of the commands that bring them. */
export function doorInputs(doors: readonly Door[]): readonly DoorInput[] {
  const inputs = new Map<string, DoorInput>();
  for (const name of actionCommands) {
    const door = doors.find((one) => one.name === name);
    if (door === undefined) throw new Error(`the Action offers ${name}, and the CLI has no such command`);
    const own = [
      ...door.command.registeredArguments.map((argument) => ({
        name: argumentInput(argument.name()),
        about: argument.description,
      })),
      ...door.command.options.map((option) => ({ name: inputName(option), about: option.description })),
    ];
    for (const { name: input, about } of own) {
      const known = inputs.get(input);
      inputs.set(input, { name: input, about: known?.about ?? about, commands: [...(known?.commands ?? []), name] });
    }
  }
  return [...inputs.values()];
}

/** The table of flags and inputs between README's markers. */
export function renderFlagTable(doors: readonly Door[]): string {
  const rows = doors.flatMap((door) => [
    ...door.command.registeredArguments.map((argument) => ({
      door,
      flag: argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
      input: argumentInput(argument.name()),
      about: argument.description,
    })),
    ...door.command.options.map((option) => ({
      door,
      flag: option.flags,
      input: inputName(option),
      about: option.description,
    })),
  ]);
  const lines = rows.map(
    ({ door, flag, input, about }) =>
      `| \`${door.name}\` | \`${cell(flag)}\` | ${isActionCommand(door.name) ? `\`${input}\`` : "–"} | ${cell(about)} |`,
  );
  return ["| command | flag | Action's input | meaning |", "|---|---|---|---|", ...lines].join("\n");
}

export function renderCommandTable(): string {
  const lines = commandTable.map((entry) => `| \`${entry.name}\` | ${cell(entry.summary)} |`);
  return ["| command | what it does |", "|---|---|", ...lines].join("\n");
}

/** The `inputs:` block of action.yml. */
export function renderInputs(doors: readonly Door[]): string {
  const command = [
    "  command:",
    `    description: ${JSON.stringify(`what to do: ${actionCommands.join(", ")}`)}`,
    '    default: "build"',
  ];
  const others = doorInputs(doors).flatMap(({ name, commands, about }) => [
    `  ${name}:`,
    `    description: ${JSON.stringify(`${about} (${commands.join(", ")})`)}`,
  ]);
  return [...command, ...others].join("\n");
}

/** Puts text between `<begin> name` and `<end> name` lines; throws when the markers are missing. */
export function replaceSection(
  document: string,
  name: string,
  text: string,
  comment: readonly [string, string],
): string {
  const [open, close] = comment;
  const begin = `${open}generated: ${name}${close}\n`;
  const end = `${open}end: ${name}${close}`;
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`no section ${name}`);
  return `${document.slice(0, from + begin.length)}${text}\n${document.slice(to)}`;
}

function isActionCommand(name: string): boolean {
  return actionCommands.some((command) => command === name);
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}
