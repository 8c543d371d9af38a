import type { LockedToolchain } from "../recipe/lock.ts";
import type { Store } from "../store/store.ts";
import { toolchainModule } from "./go-proxy.ts";
import { moduleTree, type TreeRules, type Watch } from "./module-tree.ts";

/*
 * A Go toolchain as the module proxy serves it. Inside the zip go.mod files are called _go.mod, and no file is
 * executable; the go command mends both, and so do we (cmd/go/internal/toolchain/select.go).
 */
const toolchainRules: TreeRules = {
  diskName: (name) => name.replace(/(^|\/)_go\.mod$/, "$1go.mod"),
  zipName: (name) => name.replace(/(^|\/)go\.mod$/, "$1_go.mod"),
  isProgram: (name) => name.startsWith("bin/") || name.startsWith("pkg/tool/"),
};

/** Directory of the extracted toolchain, a GOROOT. Throws as `moduleTree` does. */
export function toolchainTree(store: Store, toolchain: LockedToolchain, watch?: Watch): Promise<string> {
  return moduleTree(store, { ...toolchain, path: toolchainModule }, toolchainRules, watch);
}
