export type DescribedCommand = {
  readonly name: string;
  readonly summary: string;
  /** Subcommands. */
  readonly words: readonly string[];
  readonly flags: readonly string[];
};

const globalFlags = ["--help", "--json"];

/** A completion script made of the same table as the help: commands, subcommands and flags, then files. */
export function renderCompletion(shell: "bash" | "zsh" | "fish", commands: readonly DescribedCommand[]): string {
  if (shell === "fish") return renderFish(commands);
  const bash = renderBash(commands);
  return shell === "bash" ? bash : `autoload -U +X bashcompinit && bashcompinit\n${bash}`;
}

function renderBash(commands: readonly DescribedCommand[]): string {
  const cases = commands.map((command) => `    ${command.name}) words="${wordsOf(command).join(" ")}" ;;`);
  return `_twinseal() {
  local words current="\${COMP_WORDS[COMP_CWORD]}"
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
    *) words="" ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words="${[...commands.map((command) => command.name), "--help", "--version"].join(" ")}"; fi
  COMPREPLY=( $(compgen -W "$words" -- "$current") )
}
complete -o default -F _twinseal twinseal
`;
}

function renderFish(commands: readonly DescribedCommand[]): string {
  const lines = commands.flatMap((command) => [
    `complete -c twinseal -n __fish_use_subcommand -f -a ${command.name} -d ${quote(command.summary)}`,
    ...wordsOf(command).map((word) =>
      word.startsWith("--")
        ? `complete -c twinseal -n '__fish_seen_subcommand_from ${command.name}' -l ${word.slice(2)}`
        : `complete -c twinseal -n '__fish_seen_subcommand_from ${command.name}' -f -a ${word}`,
    ),
  ]);
  return `${lines.join("\n")}\n`;
}

function wordsOf(command: DescribedCommand): string[] {
  return [...new Set([...command.words, ...command.flags, ...globalFlags])];
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "\\'")}'`;
}
