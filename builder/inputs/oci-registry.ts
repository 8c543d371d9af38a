import { z } from "zod";
import { sha256Of, type Sha256 } from "../digest.ts";
import { TwinsealError } from "../errors.ts";
import { fetchBytes, publicUrl, type Http, type HttpRequest, type HttpResponse } from "../http.ts";
import { bearerChallenge, type BearerChallenge } from "./bearer-challenge.ts";
import { acceptedManifests, MAX_MANIFEST_BYTES } from "./oci-manifest.ts";
import { digestText, isLoopback, manifestUrl, repositoryUrl, type ImageReference } from "./oci-reference.ts";

/**
 * The password for a registry, as base64 of `user:password`, or undefined without one. It goes to that registry and to
 * the token server that the registry names, over TLS only (loopback excepted), and never into an error.
 */
export type RegistryAuth = (registry: string) => Promise<string | undefined>;

/**
 * An Http that knows how one repository of a registry wants to be asked (OCI distribution-spec 1.1; tokens as
 * distribution's docs/spec/auth/token.md): what it asks for is fetched once and used for all. Other URLs pass unchanged.
 * Throws `world/IMAGE_NOT_FOUND`, `world/REGISTRY_DENIED`, `world/REGISTRY_UNFIT`.
 */
export function createRegistryHttp(reference: ImageReference, http: Http, auth: RegistryAuth | undefined): Http {
  const base = repositoryUrl(reference);
  let known: { readonly value: Promise<string> } | undefined;
  const ask = async (request: HttpRequest, authorization: string | undefined): Promise<HttpResponse> =>
    http({
      ...request,
      ...(request.url.startsWith(`${base}manifests/`) ? { accept: acceptedManifests } : {}),
      ...(authorization === undefined ? {} : { authorization }),
    });
  return async (request) => {
    if (!request.url.startsWith(base)) return http(request);
    const used = known;
    let response = await ask(request, await used?.value);
    if (response.status === 401) {
      await drain(response);
      if (known === used) {
        // A token that failed to come is not remembered.
        const value = authorize(response.headers?.["www-authenticate"] ?? "", reference, http, auth, request.signal);
        const mine = { value };
        known = mine;
        void value.catch(() => {
          if (known === mine) known = undefined;
        });
      }
      response = await ask(request, await known?.value);
    }
    const { status } = response;
    if (status === 401 || status === 403) throw await denied(response, reference);
    if (status !== 404) return response;
    await drain(response);
    throw new TwinsealError("world", "IMAGE_NOT_FOUND", `${reference.registry} has no ${publicUrl(request.url)}`, {
      hint: "was the image removed, or its name mistyped? --image-from takes it from a file",
    });
  };
}

/** A manifest or index whose size nobody told, by digest or tag. Throws what `createRegistryHttp` and `fetchBytes` do. */
export async function fetchManifest(
  reference: ImageReference,
  name: string,
  http: Http,
  signal?: AbortSignal,
): Promise<{ readonly bytes: Buffer; readonly sha256: Sha256 }> {
  const url = manifestUrl(reference, name);
  const { status, bytes, headers } = await fetchBytes(http, {
    url,
    maxBytes: MAX_MANIFEST_BYTES,
    timeoutMs: 60_000,
    signal,
  });
  if (status !== 200)
    throw new TwinsealError("world", "NETWORK", `${publicUrl(url)}: the registry answered ${status}`, {
      hint: "is it a registry, and is it well?",
    });
  const sha256 = sha256Of(bytes);
  const claimed = name.startsWith("sha256:") ? name : headers?.["docker-content-digest"];
  if (claimed?.startsWith("sha256:") === true && claimed !== digestText(sha256)) {
    throw new TwinsealError(
      "alarm",
      "DIGEST_MISMATCH",
      `${publicUrl(url)} has the digest ${digestText(sha256)}, not ${claimed}`,
      {
        hint: "the registry serves other bytes than it was asked for; nothing of it was kept",
      },
    );
  }
  return { bytes, sha256 };
}

async function authorize(
  header: string,
  reference: ImageReference,
  http: Http,
  auth: RegistryAuth | undefined,
  signal: AbortSignal | undefined,
): Promise<string> {
  const password = await auth?.(reference.registry);
  const challenge = bearerChallenge(header);
  if (challenge !== undefined) return `Bearer ${await fetchToken(challenge, reference, password, http, signal)}`;
  if (/^basic\b/i.test(header) && password !== undefined) return `Basic ${password}`;
  throw refused(reference, "wants a password", password !== undefined);
}

const MAX_TOKEN_BYTES = 1 << 20;
const tokenSchema = z
  .object({ token: z.string().optional(), access_token: z.string().optional() })
  .transform(({ token, access_token }) => token ?? access_token)
  .pipe(z.string().regex(/^[\x21-\x7e]+$/));

async function fetchToken(
  challenge: BearerChallenge,
  reference: ImageReference,
  password: string | undefined,
  http: Http,
  signal: AbortSignal | undefined,
): Promise<string> {
  const url = tokenUrl(challenge, reference);
  const authorization = password === undefined ? {} : { authorization: `Basic ${password}` };
  // Once: whoever needs the token tries again.
  const request = { url, maxBytes: MAX_TOKEN_BYTES, timeoutMs: 60_000, signal, ...authorization };
  const { status, bytes } = await fetchBytes(http, request, 1);
  if (status >= 500)
    throw new TwinsealError("world", "NETWORK", `${publicUrl(url)}: the token server answered ${status}`);
  if (status !== 200) throw refused(reference, `gives no token (${status})`, password !== undefined);
  const token = tokenSchema.safeParse(parseJson(bytes));
  if (token.success) return token.data;
  throw unfit(reference, "its token server answers without a token");
}

/** Asks for leave to pull this repository only, whatever scope the registry would like. */
function tokenUrl({ realm, service }: BearerChallenge, reference: ImageReference): string {
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  const isLocal = new URL(repositoryUrl(reference)).protocol === "http:";
  if (url?.protocol !== "https:" && !(isLocal && url?.protocol === "http:" && isLoopback(url.hostname)))
    throw unfit(reference, "it names a token server without TLS");
  url.searchParams.set("scope", `repository:${reference.repository}:pull`);
  if (service !== undefined) url.searchParams.set("service", service);
  return url.href;
}

/** Undefined for what is not JSON: the parser's own error would quote the text, and a token with it. */
function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}

async function drain({ body }: HttpResponse): Promise<void> {
  for await (const _ of body) break; // an answer that is not read would hold its connection
}

async function denied(response: HttpResponse, reference: ImageReference): Promise<TwinsealError> {
  await drain(response);
  return refused(reference, `refuses to show it (${response.status})`, false);
}

function refused({ registry, repository }: ImageReference, why: string, hadPassword: boolean): TwinsealError {
  return new TwinsealError("world", "REGISTRY_DENIED", `${registry} ${why} for ${repository}`, {
    hint: hadPassword
      ? "the password in Docker's config.json was not accepted; run docker login again"
      : `does the image exist? If it is private, run docker login ${registry} (its config.json must hold the password itself: no credential helper is asked)`,
  });
}

function unfit({ registry }: ImageReference, why: string): TwinsealError {
  return new TwinsealError("world", "REGISTRY_UNFIT", `${registry} cannot be asked: ${why}`, {
    hint: "use another registry, or --image-from with a file",
  });
}
