/**
 * Finds the place a layer's entry means, inside the image's own tree, as a container runtime would in a chroot: a
 * symbolic link on the way counts from the image's root. A path that climbs above that root is refused instead of
 * clamped: nothing honest needs it.
 */
import { UniError } from "@uni/contract/errors";
import { overLimit } from "./limits.ts";
import { showName } from "./tar-entry.ts";
import { type DirectoryNode, newDirectory } from "./tree.ts";

const maxNameBytes = 255;
const maxLinks = 40;

export interface Place {
  readonly parent: DirectoryNode;
  readonly name: string;
}

export interface Resolver {
  /** The layer that missing parents are booked on. */
  readonly layer: number;
  /** Called for each parent that has to be made. */
  readonly onMade: () => void;
}

/** The components of an entry's name; none for the root itself. */
export function splitName(name: string): string[] {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  for (const part of parts) {
    if (part === "..") throw escapes(name, "it contains ..");
    if (part.includes("\0")) throw escapes(name, "it contains a NUL byte");
    if (part.length > maxNameBytes)
      throw overLimit(`place "${showName(name)}"`, "bytes a name", maxNameBytes);
  }
  return parts;
}

/** The directory that holds the last component, made if it is missing. The last component itself is not followed. */
export function resolveParent(root: DirectoryNode, parts: readonly string[], how: Resolver): Place {
  const name = parts.at(-1);
  if (name === undefined) throw new UniError("image_invalid", "place an entry: it has no name");
  const pending = parts.slice(0, -1).reverse();
  const path: DirectoryNode[] = [root];
  let links = 0;
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    const current = path.at(-1) ?? root;
    if (part === "" || part === ".") continue;
    if (part === "..") {
      if (path.length === 1)
        throw escapes(parts.join("/"), "a symbolic link on the way climbs above the root");
      path.pop();
      continue;
    }
    const child = current.children.get(part);
    if (child?.node.kind === "directory") {
      path.push(child.node);
    } else if (child?.node.kind === "symlink") {
      if (++links > maxLinks) {
        throw new UniError("image_invalid", `place "${showName(parts.join("/"))}": too many symbolic links`);
      }
      if (child.node.target.startsWith("/")) path.length = 1;
      pending.push(...child.node.target.split("/").reverse());
    } else {
      // Missing, or something that is no directory and that this entry therefore replaces.
      if (part.length > maxNameBytes)
        throw overLimit(`place "${showName(part)}"`, "bytes a name", maxNameBytes);
      const made = newDirectory();
      current.children.set(part, { node: made, layer: how.layer });
      how.onMade();
      path.push(made);
    }
  }
  return { parent: path.at(-1) ?? root, name };
}

export function escapes(name: string, reason: string): UniError {
  return new UniError("image_unsafe", `place "${showName(name)}": ${reason}`, {
    hint: "The layer tries to leave the image's root; do not use it unless you trust and repair its source.",
  });
}
