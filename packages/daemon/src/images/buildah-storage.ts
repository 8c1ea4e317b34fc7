/** What images a container storage has, read from its own list: quicker than to ask the tool, which starts for each. */
import { join } from "node:path";
import { readTextIfExists } from "../host/files.ts";
import { canonicalReference } from "./reference.ts";

const drivers = ["overlay", "vfs"];
const localHost = "localhost/";

/** A name without a host may stand there as this machine's own, or as of the host that tools imply. */
export async function storageHas(directories: readonly string[], reference: string): Promise<boolean> {
  for (const directory of directories) {
    for (const driver of drivers) {
      const list = await readTextIfExists(join(directory, `${driver}-images`, "images.json"));
      if (list !== undefined && namesIn(list).some((name) => means(name, reference))) return true;
    }
  }
  return false;
}

/** A list that cannot be read has nothing: the builder says what is wrong with its storage. */
function namesIn(list: string): string[] {
  try {
    const images: unknown = JSON.parse(list);
    if (!Array.isArray(images)) return [];
    return images.flatMap(({ names }: { names?: unknown }) =>
      Array.isArray(names) ? names.filter((name): name is string => typeof name === "string") : [],
    );
  } catch {
    return [];
  }
}

function means(name: string, reference: string): boolean {
  const own = name.startsWith(localHost) ? name.slice(localHost.length) : name;
  try {
    return name === reference || canonicalReference(own) === reference;
  } catch {
    return false;
  }
}
