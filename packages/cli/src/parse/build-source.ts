import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { basename, isAbsolute, join, relative, resolve } from "node:path";
import { UniError } from "@uni/contract/errors";

export type BuildSource =
  | { readonly kind: "elf"; readonly path: string }
  | { readonly kind: "root"; readonly path: string }
  | {
      readonly kind: "context";
      readonly path: string;
      /** Its path in the tar. */
      readonly dockerfile: string;
      /** A Dockerfile from outside the context, to be sent along under that name. */
      readonly outside?: string;
    };

export interface SourceOptions {
  readonly file?: string;
  readonly rootfs?: boolean;
}

const elfMagic = "\u007fELF";
const outsideName = ".uni-dockerfile";

function isElf(path: string): boolean {
  const descriptor = openSync(path, "r");
  try {
    const head = Buffer.alloc(4);
    return readSync(descriptor, head) === 4 && head.toString("latin1") === elfMagic;
  } finally {
    closeSync(descriptor);
  }
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

/** As Docker takes `-f`: from here, else from inside the context. */
function findDockerfile(context: string, file: string): BuildSource {
  const fromHere = resolve(file);
  const path = isFile(fromHere) ? fromHere : resolve(context, file);
  if (!isFile(path)) {
    throw new UniError("not_found", `building from ${context}: there is no Dockerfile at ${file}`);
  }
  const inside = relative(resolve(context), path);
  if (inside.startsWith("..") || isAbsolute(inside)) {
    return { kind: "context", path: context, dockerfile: outsideName, outside: path };
  }
  return { kind: "context", path: context, dockerfile: inside };
}

/** What a person means by PATH: a program, a build context, or a root file system. */
export function findBuildSource(path: string, { file, rootfs }: SourceOptions): BuildSource {
  const info = statSync(path, { throwIfNoEntry: false });
  if (info === undefined)
    throw new UniError("not_found", `building from ${path}: there is no such file or directory`);
  if (info.isFile()) {
    if (isElf(path)) return { kind: "elf", path };
    throw new UniError("invalid_value", `building from ${path}: it is a file, but no ELF program`, {
      hint: "Give a directory with a Dockerfile; for an image archive use uni load.",
    });
  }
  if (rootfs === true) return { kind: "root", path };
  if (file !== undefined) return findDockerfile(path, file);
  const dockerfile = ["Dockerfile", "Containerfile"].find((name) => isFile(join(path, name)));
  if (dockerfile !== undefined) return { kind: "context", path, dockerfile };
  if (["bin", "usr", "etc"].some((name) => existsSync(join(path, name)))) return { kind: "root", path };
  throw new UniError("not_found", `building from ${path}: there is no Dockerfile in it`, {
    hint: "Say where it is with -f, or give --rootfs for a directory that is a root file system.",
  });
}

/** A reference made of the path's own name, for a build without -t. */
export function referenceFor(path: string): string {
  const name = basename(resolve(path))
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  if (name === "") {
    throw new UniError("invalid_value", `building from ${path}: no name can be made of it`, {
      hint: "Name the image with -t NAME[:TAG].",
    });
  }
  return name;
}
