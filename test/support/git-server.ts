import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { GitSourceDeps } from "../../builder/inputs/git-source.ts";
import { gitEnvOf } from "../../builder/inputs/git.ts";
import { runProcess } from "../../builder/process.ts";
import type { Place } from "./place.ts";

/** A real repository, and git's own HTTP backend in front of it; gone with its scope. */
export type GitServer = AsyncDisposable & {
  /** Of the repository, over HTTP. */
  readonly url: string;
  /** The same repository as a directory. */
  readonly dir: string;
  readonly git: (...args: string[]) => Promise<string>;
  readonly write: (files: Readonly<Record<string, string>>) => Promise<void>;
  readonly commit: (message: string) => Promise<void>;
  /** Requests the server got so far. */
  readonly requests: () => number;
};

const gitEnv = {
  PATH: process.env["PATH"] ?? "",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_AUTHOR_NAME: "A Test",
  GIT_AUTHOR_EMAIL: "test@example.test",
  GIT_COMMITTER_NAME: "A Test",
  GIT_COMMITTER_EMAIL: "test@example.test",
  GIT_AUTHOR_DATE: "2024-05-06T07:08:09Z",
  GIT_COMMITTER_DATE: "2024-05-06T07:08:09Z",
};

/** What a git source is resolved with, in a new directory of the place. */
export async function gitDepsIn(place: Place): Promise<GitSourceDeps> {
  const workDir = await mkdtemp(join(place.dir, "work-"));
  return { store: place.store, gitEnv: gitEnvOf({ PATH: process.env["PATH"] }), workDir };
}

export async function openGitServer(): Promise<GitServer> {
  const root = await mkdtemp(join(tmpdir(), "twinseal-git-"));
  const dir = join(root, "project");
  await mkdir(dir);
  const git = async (...args: string[]) => {
    const result = await runProcess(
      ["git", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false", "-c", "maintenance.auto=false", ...args],
      { cwd: dir, env: gitEnv, timeoutMs: 60_000 },
    );
    if (result.code !== 0) throw new Error(`git ${args.join(" ")}: ${result.stderr}`);
    return result.stdout.trim();
  };
  await git("init", "--quiet", "--initial-branch=main");
  const execPath = await git("--exec-path");
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
    const backend = spawn(join(execPath, "git-http-backend"), {
      env: {
        ...gitEnv,
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: "1",
        PATH_INFO: pathname,
        QUERY_STRING: searchParams.toString(),
        REQUEST_METHOD: request.method ?? "GET",
        CONTENT_TYPE: request.headers["content-type"] ?? "",
        GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
        ...(request.headers["content-encoding"] === undefined
          ? {}
          : { HTTP_CONTENT_ENCODING: request.headers["content-encoding"] }),
      },
    });
    request.pipe(backend.stdin);
    let head = Buffer.alloc(0);
    let started = false;
    backend.stdout.on("data", (chunk: Buffer) => {
      if (started) return void response.write(chunk);
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      started = true;
      for (const line of head.subarray(0, end).toString("latin1").split("\r\n")) {
        const [name = "", value = ""] = line.split(/: */, 2);
        if (name.toLowerCase() === "status") response.statusCode = Number.parseInt(value, 10);
        else response.setHeader(name, value);
      }
      response.write(head.subarray(end + 4));
    });
    backend.stdout.on("end", () => response.end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}/project/.git`,
    dir,
    git,
    write: async (files) => {
      for (const [name, text] of Object.entries(files)) {
        await mkdir(dirname(join(dir, name)), { recursive: true });
        await writeFile(join(dir, name), text);
      }
    },
    commit: async (message) => {
      await git("add", "--all");
      await git("commit", "--quiet", "--message", message);
    },
    requests: () => requests,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await rm(root, { recursive: true, force: true });
    },
  };
}
