import { Argument, Command } from "commander";
import { z } from "zod";
import { commandTable } from "../command-table.ts";
import { renderCompletion } from "../completion-script.ts";
import type { CliDeps } from "../deps.ts";

const shells = ["bash", "zsh", "fish"] as const;
export const completionOptionsSchema = z.strictObject({ shell: z.enum(shells) });

export function completionCommand(deps: CliDeps): Command {
  return new Command("completion")
    .description("Prints a completion script; put it where your shell looks for one.")
    .addArgument(new Argument("<shell>", "shell to print it for").choices(shells))
    .action(async (shell: string) => {
      const options = await deps.parse(completionOptionsSchema, { shell });
      const script = renderCompletion(options.shell, await describeCommands(deps));
      if (!deps.json) deps.print(script);
      deps.finish({ exitCode: 0, code: "completion", document: { shell: options.shell, script } });
    });
}

async function describeCommands(deps: CliDeps) {
  return Promise.all(
    commandTable.map(async (entry) => {
      const command = entry.name === "completion" ? new Command("completion") : (await entry.load())(deps);
      return {
        name: entry.name,
        summary: entry.summary,
        words: command.commands.map((child) => child.name()),
        flags: [command, ...command.commands].flatMap((one) =>
          one.options.map((option) => option.long ?? option.flags),
        ),
      };
    }),
  );
}
