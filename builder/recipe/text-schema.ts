import { z } from "zod";
import { modulePathPattern } from "./module-path.ts";
import { unknownPlaceholders } from "./placeholders.ts";

const shellCharacters = /[\s;&|<>$`"'\\*?!(){}[\]#~^]/;

/** A path below some directory: relative, no `..`, no empty part. */
export const relativePathSchema = z
  .string()
  .min(1)
  .refine((path) => !path.startsWith("/"), "must be relative; write it without the leading /")
  .refine(
    (path) =>
      path === "." ||
      path.startsWith("/") ||
      !path
        .replace(/^\.\//, "")
        .split("/")
        .some((part) => part === ".." || part === "" || part === "."),
    "must stay inside the tree; write it without .. and empty parts",
  )
  .refine((path) => !/[\0-\x1f]/.test(path), "must hold no control character")
  .refine((path) => !path.startsWith("-"), "must not look like a flag; write ./ in front");

export const tagSchema = z
  .string()
  .min(1)
  .refine((tag) => tag.includes("{version}"), 'must hold {version}, for example "v{version}"')
  .refine(
    (tag) => !shellCharacters.test(tag.replaceAll("{version}", "1")) && !tag.startsWith("-") && !tag.includes(".."),
    "holds a character that has no place in a tag; letters, digits and . _ - / + are enough",
  );

/** A version as locks and artifact names carry it: no `v` in front is demanded, no separator of paths or flags allowed. */
export const versionSchema = z
  .string()
  .regex(/^[0-9A-Za-z][0-9A-Za-z._+-]*$/, "is not a version; write for example 1.2.3")
  .refine((version) => !version.includes(".."), "is not a version; write for example 1.2.3");

/** Text in which only the named placeholders stand in braces. */
export function textWith(allowed: readonly string[]) {
  return z.string().superRefine((text, context) => {
    const unknown = unknownPlaceholders(text, allowed);
    if (unknown.length > 0) {
      context.addIssue(
        `holds the unknown ${unknown.join(" ")}; known are ${allowed.map((name) => `{${name}}`).join(" ")} and {version:MODULE}`,
      );
    }
  });
}

export const gitUrlSchema = z
  .string()
  .regex(
    /^(https:\/\/|ssh:\/\/|git:\/\/|http:\/\/|file:\/\/|[\w.-]+@[\w.-]+:)[^\s]+$/,
    "is not a git URL; write for example https://host/owner/repo",
  );

export const modulePathSchema = z
  .string()
  .regex(modulePathPattern, "is not a Go module path; write for example github.com/owner/repo");
