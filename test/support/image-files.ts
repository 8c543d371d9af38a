import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { sha256Of } from "../../builder/digest.ts";
import { descriptorOf, makeManifest, type MadeBlob, type MadeImage } from "./image-maker.ts";
import { directory, file, makeTar, symlink, type MadeEntry } from "./tar-maker.ts";

type Files = Readonly<Record<string, string | Uint8Array>>;

const blobs = (all: readonly MadeBlob[]): Files =>
  Object.fromEntries(all.map(({ sha256, bytes }) => [`blobs/sha256/${sha256}`, bytes]));
const layoutOf = (top: MadeBlob, all: readonly MadeBlob[], name?: string): Files => ({
  "oci-layout": '{"imageLayoutVersion":"1.0.0"}',
  "index.json": JSON.stringify({
    schemaVersion: 2,
    manifests: [
      { ...descriptorOf(top), ...(name === undefined ? {} : { annotations: { "io.containerd.image.name": name } }) },
    ],
  }),
  ...blobs(all),
});

/** An OCI layout of an image, under the digest of its manifest or of an index. */
export function layoutFiles(image: MadeImage, index?: MadeBlob): Files {
  const all = [image.manifest, image.config, ...image.layers];
  return layoutOf(index ?? image.manifest, index === undefined ? all : [index, ...all]);
}

/** What Docker 25 and newer save from the older image store: unpacked layers, hence another manifest. */
export function savedFiles(image: MadeImage, name: string): { readonly files: Files; readonly manifest: MadeBlob } {
  const layers = image.tars.map((bytes) => ({
    bytes,
    sha256: sha256Of(bytes),
    mediaType: "application/vnd.oci.image.layer.v1.tar",
  }));
  const manifest = makeManifest(image.config, layers);
  const files = layoutOf(manifest, [manifest, image.config, ...layers], name);
  const list = [
    {
      Config: `blobs/sha256/${image.config.sha256}`,
      RepoTags: [name],
      Layers: layers.map(({ sha256 }) => `blobs/sha256/${sha256}`),
    },
  ];
  return { manifest, files: { ...files, "manifest.json": JSON.stringify(list) } };
}

/** What older versions save: no manifest; a layer that is there twice is a link. */
export function oldSavedEntries(image: MadeImage, name: string): MadeEntry[] {
  const known = new Map<string, string>();
  const entries: MadeEntry[] = [];
  const names = image.tars.map((tar, at) => {
    const sha256 = sha256Of(tar);
    const id = sha256Of(`${at}`);
    const path = `${id}/layer.tar`;
    const first = known.get(sha256);
    entries.push(directory(id), first === undefined ? file(path, tar) : symlink(path, `../${first}`));
    known.set(sha256, first ?? path);
    return path;
  });
  const config = `${image.config.sha256}.json`;
  entries.push(file(config, image.config.bytes));
  entries.push(file("manifest.json", JSON.stringify([{ Config: config, RepoTags: [name], Layers: names }])));
  return entries;
}

/** The same format as go-containerregistry and kaniko write it: packed layers, and the config under its digest. */
export function packedSavedFiles(image: MadeImage, name: string): Files {
  const layers = image.layers.map(({ sha256, bytes }) => [`${sha256}.tar.gz`, bytes] as const);
  const config = `sha256:${image.config.sha256}`;
  const list = [{ Config: config, RepoTags: [name], Layers: layers.map(([path]) => path) }];
  return { [config]: image.config.bytes, ...Object.fromEntries(layers), "manifest.json": JSON.stringify(list) };
}

export async function writeFiles(dir: string, files: Files): Promise<string> {
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), bytes);
  }
  return dir;
}

export async function writeTar(path: string, entries: Files | readonly MadeEntry[]): Promise<string> {
  const all = Array.isArray(entries) ? entries : Object.entries(entries).map(([name, bytes]) => file(name, bytes));
  await writeFile(path, makeTar(all));
  return path;
}
