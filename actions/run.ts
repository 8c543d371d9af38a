import { createDeps } from "../cli/deps.ts";
import { exitCodeOf } from "../cli/exit.ts";
import type { Outcome } from "../cli/json.ts";
import { createProgram } from "../cli/main.ts";
import { tellError } from "../cli/voice.ts";
import { CommanderError } from "commander";
import { TwinsealError } from "../builder/errors.ts";
import { inputsToArgv, readCommand, type ReadInput } from "./inputs.ts";

export type ActionWorld = {
  readonly read: ReadInput;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly packageRoot: string;
  readonly toolVersion: string;
  readonly signal: AbortSignal;
  readonly write: (text: string) => void;
};

/** Runs the command that the inputs ask for, through the CLI's own command module. Never throws. */
export async function runAction(world: ActionWorld): Promise<Outcome> {
  try {
    return await runCommand(world);
  } catch (error) {
    const fault =
      error instanceof CommanderError
        ? new TwinsealError("caller", "USAGE", error.message.replace(/^error: /, ""))
        : error;
    const { code, ...document } = tellError(fault);
    return { exitCode: exitCodeOf(fault), code, document };
  }
}

async function runCommand(world: ActionWorld): Promise<Outcome> {
  const words = readCommand(world.read).split(" ");
  let outcome: Outcome | undefined;
  const stream = { write: world.write };
  const deps = {
    ...createDeps({ ...world, json: false, stdout: stream, stderr: stream, setExitCode: () => {} }),
    finish: (ended: Outcome) => {
      outcome = ended;
      if (ended.text !== undefined) world.write(ended.text.endsWith("\n") ? ended.text : `${ended.text}\n`);
    },
  };
  const program = await createProgram(words, deps);
  const command = words.reduce(
    (parent, word) => parent.commands.find((child) => child.name() === word) ?? parent,
    program,
  );
  await program.parseAsync([...words, ...inputsToArgv(command, world.read)], { from: "user" });
  return (
    outcome ?? { exitCode: 3, code: "UNEXPECTED", document: { message: `${words.join(" ")} ended without a result` } }
  );
}
