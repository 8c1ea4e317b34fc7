import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Context } from "../context.ts";
import { type LeaveOut, type Packed, packFiles, packTree } from "../files/pack.ts";
import { printable } from "../render/escape.ts";
import { formatBytes } from "../render/units.ts";
import { leaveOutOf, readIgnoreRules } from "./ignore-rules.ts";
import type { NamedFile, PlannedBuild } from "./planned.ts";

export interface Sending {
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Says what was sent, once all of it was; undefined where nothing was. */
  readonly summary: Promise<string | undefined>;
}

export function openUpload({ out, signal }: Context, { upload, what, params }: PlannedBuild): Sending {
  const onSkip = (path: string, reason: string) =>
    void out.stderr.write(`Left out ${printable(path)}: ${reason}\n`);
  const describe = ({ tar, done }: Packed): Sending => ({
    bytes: tar,
    summary: done.then(({ bytes, entries }) => `${what}, ${formatBytes(bytes)} in ${entries} entries`),
  });
  switch (upload.kind) {
    case "nothing":
      return { bytes: nothing(), summary: Promise.resolve(undefined) };
    case "file":
      return {
        bytes: createReadStream(upload.path),
        summary: stat(upload.path).then(({ size }) => `${what}, ${formatBytes(size)}`),
      };
    case "files":
      return describe(packFiles(upload.files, { asRoot: true, onSkip, signal }));
    case "tree": {
      const { path, extra = [], asRoot } = upload;
      const ignored = ignoring(upload.ignoreFile, params.dockerfile);
      const all = [...extra, ...ignored.extra];
      return describe(
        packTree(path, {
          top: ".",
          followTop: true,
          extra: all,
          leaveOut: ignored.leaveOut,
          asRoot,
          onSkip,
          signal,
        }),
      );
    }
    default:
      return upload satisfies never;
  }
}

const ignoreNames = [".dockerignore", ".containerignore"];

/** The rules go along under the name that every builder knows, for the builder takes them to mean COPY as well. */
function ignoring(
  path: string | undefined,
  dockerfile: string | undefined,
): { readonly leaveOut?: LeaveOut; readonly extra: readonly NamedFile[] } {
  if (path === undefined) return { extra: [] };
  const byRules = leaveOutOf(readIgnoreRules(path));
  const leaveOut: LeaveOut = (name) => {
    if (ignoreNames.includes(name)) return "all";
    if (name === dockerfile) return "nothing";
    const left = byRules(name);
    return left === "all" && dockerfile?.startsWith(`${name}/`) === true ? "itself" : left;
  };
  return { leaveOut, extra: [{ path, name: ".dockerignore" }] };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
