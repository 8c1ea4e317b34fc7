/** Puts the root among the authorities that programs of this machine trust, as Debian does it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { ensureDirectory, writeFileAtomic } from "../host/files.ts";
import { runOk } from "../host/process.ts";
import type { LocalCaRoot } from "./local-ca.ts";

export interface TrustStore {
  /** Where certificates of the machine's owner lie. */
  readonly directory: string;
  /** Makes the list that programs read. */
  readonly update: string;
}

export const systemTrustStore: TrustStore = {
  directory: "/usr/local/share/ca-certificates",
  update: "/usr/sbin/update-ca-certificates",
};

/** Returns the file; doing it again is harmless. Browsers with a store of their own do not read it. */
export async function trustRoot(root: LocalCaRoot, store: TrustStore = systemTrustStore): Promise<string> {
  if (!existsSync(store.update)) {
    throw new UniError("host_unfit", `trust the local authority: ${store.update} is not there`, {
      hint: "Install ca-certificates, or import what 'uni ca export' prints by hand.",
    });
  }
  const mark = root.fingerprint.replaceAll(":", "").slice(0, 16).toLowerCase();
  const path = join(store.directory, `uni-${mark}.crt`);
  await ensureDirectory(store.directory, 0o755);
  await writeFileAtomic(path, root.pem, 0o644);
  await runOk(store.update, [], { timeoutMs: 60_000 });
  return path;
}
