/** A file system as a tree in memory: metadata here, file contents by reference into the layers. Names are byte strings. */
import type { Extent } from "./tar-entry.ts";

export interface Metadata {
  mode: number;
  uid: number;
  gid: number;
  mtime: { readonly seconds: number; readonly nanoseconds: number };
  xattrs: ReadonlyMap<string, Buffer>;
}

export interface DirectoryNode extends Metadata {
  readonly kind: "directory";
  readonly children: Map<string, Child>;
}

export interface FileNode extends Metadata {
  readonly kind: "file";
  readonly size: number;
  /** Index of the layer that holds the extents. */
  readonly layer: number;
  readonly extents: readonly Extent[];
}

export interface SymlinkNode extends Metadata {
  readonly kind: "symlink";
  readonly target: string;
}

export interface DeviceNode extends Metadata {
  readonly kind: "char" | "block";
  readonly device: { readonly major: number; readonly minor: number };
}

export interface FifoNode extends Metadata {
  readonly kind: "fifo";
}

/** A node that several names point at is a hard link. */
export type Node = DirectoryNode | FileNode | SymlinkNode | DeviceNode | FifoNode;

export interface Child {
  readonly node: Node;
  /** The layer that put the name here: a whiteout only hides names of lower layers. */
  readonly layer: number;
}

const noXattrs: ReadonlyMap<string, Buffer> = new Map();

/** What a runtime makes where a layer names no parent: root's, 0755. */
export function newDirectory(): DirectoryNode {
  return {
    kind: "directory",
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
    xattrs: noXattrs,
    children: new Map(),
  };
}

/** Every node once, parents before children, directories' own names not included. */
export function* walk(root: DirectoryNode): Generator<Node> {
  const seen = new Set<Node>([root]);
  const stack: Node[] = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    yield node;
    if (node.kind !== "directory") continue;
    for (const child of node.children.values()) {
      if (seen.has(child.node)) continue;
      seen.add(child.node);
      stack.push(child.node);
    }
  }
}
