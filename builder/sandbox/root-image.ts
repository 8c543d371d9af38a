import { dirname } from "node:path";
import { z } from "zod";
import { sha256Of } from "../digest.ts";
import { TwinsealError } from "../errors.ts";
import type { RootLink } from "./container-root.ts";
import { engineFailure } from "./engine-failure.ts";
import { runEngine, type Engine } from "./engine.ts";

/**
 * The image of a sandbox: nothing but the links of its root, a few kilobytes. It is made here and loaded, never pulled,
 * named for its content, and used by the id of an image that was seen to have this content. It stays with the engine for
 * the next build; `store gc` removes it.
 */
export const IMAGE_NAME = "twinseal-root";
export const IMAGE_LABEL = "twinseal.root";

const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };
const IMAGE_MS = 60_000;

/** Id of the image with exactly these links, made where the engine has none. */
export async function rootImage(engine: Engine, links: readonly RootLink[], arch: string): Promise<string> {
  const archive = rootArchive(links, architectures[arch] ?? arch);
  const found = await findImage(engine, archive);
  if (found !== undefined) return found;
  const loaded = await runEngine(engine, ["load"], { timeoutMs: IMAGE_MS, stdin: archive.bytes });
  if (loaded.code !== 0) throw engineFailure(engine.name, loaded.stderr);
  const made = await findImage(engine, archive);
  if (made !== undefined) return made;
  throw new TwinsealError("world", "ENGINE_FAILED", `${engine.name} loaded an image and has it not as ${archive.name}`);
}

/** Names of the images that builds have left with an engine. */
export async function listRootImages(engine: Engine): Promise<readonly string[]> {
  const asked = await runEngine(
    engine,
    ["image", "ls", "--filter", `label=${IMAGE_LABEL}`, "--format", "{{.Repository}}:{{.Tag}}"],
    { timeoutMs: IMAGE_MS },
  );
  if (asked.code !== 0) throw engineFailure(engine.name, asked.stderr);
  return asked.stdout.split("\n").filter((line) => line !== "");
}

/** Removes those of them that no container uses. */
export async function removeRootImages(engine: Engine): Promise<void> {
  const filter = `label=${IMAGE_LABEL}`;
  const pruned = await runEngine(engine, ["image", "prune", "--all", "--force", "--filter", filter], {
    timeoutMs: IMAGE_MS,
  });
  if (pruned.code !== 0) throw engineFailure(engine.name, pruned.stderr);
}

export type RootArchive = { readonly name: string; readonly layerId: string; readonly bytes: Buffer };

const inspectSchema = z.tuple([z.object({ Id: z.string().min(1), RootFS: z.object({ Layers: z.array(z.string()) }) })]);

async function findImage(engine: Engine, archive: RootArchive): Promise<string | undefined> {
  const asked = await runEngine(engine, ["image", "inspect", archive.name], { timeoutMs: IMAGE_MS });
  if (asked.code !== 0) {
    if (/no such image|image not known|not found/i.test(asked.stderr)) return undefined;
    throw engineFailure(engine.name, asked.stderr);
  }
  const [{ Id, RootFS }] = inspectSchema.parse(JSON.parse(asked.stdout));
  // A name can be given to any image: what counts is that there is this one layer and no other.
  return RootFS.Layers.length === 1 && RootFS.Layers[0] === archive.layerId ? Id : undefined;
}

/** The image as `docker save` would write it (image spec v1.2). Pure: the same links give the same bytes. */
export function rootArchive(links: readonly RootLink[], architecture: string): RootArchive {
  const layer = tarOf(layerEntries(links));
  const layerId = `sha256:${sha256Of(layer)}`;
  const config = Buffer.from(
    JSON.stringify({
      architecture,
      os: "linux",
      created: "1970-01-01T00:00:00Z",
      config: { Labels: { [IMAGE_LABEL]: "1" } },
      rootfs: { type: "layers", diff_ids: [layerId] },
      history: [{ created: "1970-01-01T00:00:00Z", created_by: "twinseal" }],
    }),
  );
  const name = `${IMAGE_NAME}:${architecture}-${layerId.slice("sha256:".length, "sha256:".length + 32)}`;
  const configName = `${sha256Of(config)}.json`;
  const manifest = [{ Config: configName, RepoTags: [name], Layers: ["layer.tar"] }];
  const bytes = tarOf([
    { path: configName, type: "file", body: config },
    { path: "layer.tar", type: "file", body: layer },
    { path: "manifest.json", type: "file", body: Buffer.from(JSON.stringify(manifest)) },
  ]);
  return { name, layerId, bytes };
}

type TarEntry = {
  readonly path: string;
  readonly type: "file" | "dir" | "link";
  readonly target?: string;
  readonly body?: Buffer;
};

function layerEntries(links: readonly RootLink[]): readonly TarEntry[] {
  const dirs = new Set<string>(["/"]); // a layer without any entry is refused by some engines
  for (const { path } of links) for (let dir = dirname(path); dir !== "/"; dir = dirname(dir)) dirs.add(dir);
  return [
    ...[...dirs].toSorted().map((path): TarEntry => ({ path: `.${path === "/" ? "" : path}/`, type: "dir" })),
    ...links.map(({ path, target }): TarEntry => ({ path: `.${path}`, type: "link", target })),
  ];
}

const BLOCK = 512;

/** A ustar archive (POSIX.1-1988) of small entries, all of root's and of 1970. */
function tarOf(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap((entry) => {
    const body = entry.body ?? Buffer.alloc(0);
    return [tarHeader(entry, body.length), body, Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

function tarHeader(entry: TarEntry, sizeBytes: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  const put = (at: number, length: number, text: string) => {
    if (header.write(text, at, length, "utf8") < Buffer.byteLength(text)) {
      throw new TwinsealError("world", "ROOTFS_UNUSABLE", `a name in the root is too long for an image: ${text}`);
    }
  };
  const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, "0")}\0`;
  put(0, 100, entry.path);
  put(100, 8, octal(entry.type === "file" ? 0o644 : entry.type === "dir" ? 0o755 : 0o777, 8));
  put(108, 8, octal(0, 8));
  put(116, 8, octal(0, 8));
  put(124, 12, octal(sizeBytes, 12));
  put(136, 12, octal(0, 12));
  put(148, 8, " ".repeat(8));
  put(156, 1, { file: "0", link: "2", dir: "5" }[entry.type]);
  put(157, 100, entry.target ?? "");
  put(257, 8, "ustar\x0000");
  put(
    148,
    8,
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
  );
  return header;
}
