/**
 * Which interpreter and libraries an image's entry point needs and the image has nowhere. A library counts as there if
 * any file has its name: where the loader searches is the image's own business, and a false alarm would be worse.
 */

import { type ElfFile, readElf } from "@uni/contract/elf";
import { type ByteSource, partOf } from "./byte-source.ts";
import { readFileRange } from "./file-content.ts";
import type { ImageConfig } from "./port.ts";
import type { DirectoryNode, FileNode, Node } from "./tree.ts";
import { walk } from "./tree.ts";

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const maxLibraries = 1000;

export async function missingLibraries(
  root: DirectoryNode,
  layers: readonly ByteSource[],
  config: ImageConfig,
): Promise<readonly string[]> {
  const program = findProgram(root, config);
  const elf = program === undefined ? undefined : await readTolerantly(program, layers);
  if (elf?.interpreter === undefined) return [];
  const missing: string[] = [];
  if (lookUp(root, elf.interpreter)?.kind !== "file") missing.push(elf.interpreter);
  const byName = namesOf(root);
  const pending = [...elf.libraries];
  const seen = new Set(pending);
  for (let name = pending.pop(); name !== undefined && seen.size < maxLibraries; name = pending.pop()) {
    const node = name.startsWith("/") ? lookUp(root, name) : byName.get(name.split("/").at(-1) ?? name);
    if (node === undefined) {
      missing.push(name);
      continue;
    }
    const library = node.kind === "file" ? await readTolerantly(node, layers) : undefined;
    for (const next of library?.libraries ?? []) {
      if (seen.has(next)) continue;
      seen.add(next);
      pending.push(next);
    }
  }
  return missing.sort();
}

function findProgram(root: DirectoryNode, config: ImageConfig): FileNode | undefined {
  const name = [...config.entrypoint, ...config.cmd][0];
  if (name === undefined) return undefined;
  const candidates = name.startsWith("/")
    ? [name]
    : name.includes("/")
      ? [`${config.workingDirectory}/${name}`]
      : (config.env["PATH"] ?? defaultPath).split(":").map((directory) => `${directory}/${name}`);
  for (const candidate of candidates) {
    const node = lookUp(root, candidate);
    if (node?.kind === "file") return node;
  }
  return undefined;
}

/** Only a hint depends on it: an ELF file that cannot be read is left to the guest's kernel. */
async function readTolerantly(node: FileNode, layers: readonly ByteSource[]): Promise<ElfFile | undefined> {
  const layer = layers[node.layer];
  if (layer === undefined) return undefined;
  const whole = {
    size: node.size,
    read: (at: number, length: number) => readWithin(layer, node, at, length),
  };
  return readElf(partOf(whole, 0, node.size)).catch(() => undefined);
}

function readWithin(layer: ByteSource, node: FileNode, position: number, length: number): Promise<Buffer> {
  const from = Math.min(position, node.size);
  return readFileRange(layer, node, from, Math.min(length, node.size - from));
}

/** Files and symbolic links by their last name. */
function namesOf(root: DirectoryNode): Map<string, Node> {
  const names = new Map<string, Node>();
  for (const node of walk(root)) {
    if (node.kind !== "directory") continue;
    for (const [name, { node: child }] of node.children) {
      if (child.kind === "file") names.set(name, child);
      else if (child.kind === "symlink" && !names.has(name)) names.set(name, child);
    }
  }
  return names;
}

/** Follows symbolic links within the image; undefined where they lead nowhere. */
export function lookUp(root: DirectoryNode, path: string): Node | undefined {
  const pending = path.split("/").reverse();
  const at: DirectoryNode[] = [root];
  let links = 0;
  let found: Node = root;
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    if (part === "" || part === ".") continue;
    const current = at.at(-1) ?? root;
    if (found !== current) return undefined;
    if (part === "..") {
      if (at.length > 1) at.pop();
      found = at.at(-1) ?? root;
      continue;
    }
    const child: Node | undefined = current.children.get(part)?.node;
    if (child === undefined) return undefined;
    if (child.kind === "symlink") {
      if (++links > 40) return undefined;
      if (child.target.startsWith("/")) at.length = 1;
      found = at.at(-1) ?? root;
      pending.push(...child.target.split("/").reverse());
    } else {
      found = child;
      if (child.kind === "directory") at.push(child);
    }
  }
  return found;
}
