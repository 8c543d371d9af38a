import { z } from "zod";

/**
 * The ways in which the two sandboxes can differ. `about` is what a reader of the report and of docs/recipe.md sees.
 * Sorted as the report shows them.
 */
export const dimensions = [
  { id: "source-path", about: "directory of the source tree" },
  { id: "module-cache-path", about: "GOMODCACHE" },
  { id: "build-cache-path", about: "GOCACHE" },
  { id: "goroot", about: "GOROOT, where the toolchain lies" },
  { id: "home", about: "HOME" },
  { id: "tmpdir", about: "TMPDIR and GOTMPDIR" },
  { id: "user", about: "user id and name" },
  { id: "group", about: "group id" },
  { id: "umask", about: "file mode creation mask" },
  { id: "hostname", about: "host name" },
  { id: "domainname", about: "NIS domain name" },
  { id: "timezone", about: "TZ" },
  { id: "locale", about: "LANG and LC_ALL" },
  { id: "environment", about: "names and values of variables that Go does not read" },
  { id: "path-order", about: "order of PATH" },
  { id: "cpu-count", about: "number of processors that a program sees" },
  { id: "gc", about: "GOGC and GOMEMLIMIT, how often the compiler's own collector runs" },
  { id: "directory-order", about: "order in which a directory of the source is read" },
  { id: "file-times", about: "modification times of the source files" },
  { id: "scratch-size", about: "size of the file system that a build writes to" },
  { id: "kernel-release", about: "kernel release that uname tells" },
  { id: "aslr", about: "address space layout randomisation" },
  { id: "terminal", about: "what standard input and the terminal are" },
  { id: "process-ids", about: "number from which process ids count" },
  { id: "uptime", about: "boot and monotonic clock" },
  { id: "time", about: "wall clock" },
  { id: "cpu-model", about: "processor model and features" },
  { id: "memory-size", about: "memory size" },
  { id: "driver", about: "sandbox implementation" },
] as const;

export const dimensionIdSchema = z.enum(dimensions.map((dimension) => dimension.id));
export type DimensionId = z.infer<typeof dimensionIdSchema>;
