/** One thing wrong in a file that a person wrote. Line and column count from 1; the column counts UTF-16 code units. */
export type Problem = {
  readonly line: number;
  readonly column: number;
  /** What is wrong, lower case. */
  readonly what: string;
  /** What to write instead. */
  readonly hint?: string;
};

export type Position = Pick<Problem, "line" | "column">;

/** `path:line:column: what; hint`, the form that editors and terminals make a link of. */
export function renderProblem(path: string, problem: Problem): string {
  const { line, column, what, hint } = problem;
  return `${path}:${line}:${column}: ${what}${hint === undefined ? "" : `; ${hint}`}`;
}

/** In the order of the file, each once. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  return problems
    .toSorted((a, b) => a.line - b.line || a.column - b.column)
    .filter((problem) => {
      const text = renderProblem("", problem);
      return !seen.has(text) && seen.add(text) !== undefined;
    });
}
