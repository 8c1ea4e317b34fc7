import { existsSync } from "node:fs";
import { join } from "node:path";
import { UniError } from "@uni/contract/errors";
import { ensureDirectory, readTextIfExists, writeFileAtomic } from "../../host/files.ts";
import type { HostFacts } from "./architecture.ts";

/** A measurement may be off by this part of it, between two boots of a host too. */
const tolerance = 50e-6;

export function hostFacts(cacheDirectory: string, nativeDirectory: string): HostFacts {
  return {
    nativeDirectory,
    async remember(name, measured) {
      const path = join(cacheDirectory, `host-${name}`);
      const kept = Number(await readTextIfExists(path));
      if (kept > 0 && Math.abs(kept - measured) <= measured * tolerance) return kept;
      await ensureDirectory(cacheDirectory, 0o755);
      await writeFileAtomic(path, `${measured}\n`, 0o644);
      return measured;
    },
  };
}

/** `build/vmm` of the checkout: beside the bundle, or found from this source file. */
export function findNativeDirectory(): string {
  const places = [join(import.meta.dirname, "vmm"), join(import.meta.dirname, "../../../../../build/vmm")];
  const found = places.find((place) => existsSync(join(place, "launch")));
  if (found !== undefined) return found;
  throw new UniError("host_unfit", `find the VMM's launcher in ${places[1]}: it is not built`, {
    hint: "Run ./scripts/setup, which builds it.",
  });
}
