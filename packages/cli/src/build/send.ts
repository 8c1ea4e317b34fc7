import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Context } from "../context.ts";
import { type Packed, packFiles, packTree } from "../files/pack.ts";
import { printable } from "../render/escape.ts";
import { formatBytes } from "../render/units.ts";
import type { PlannedBuild } from "./planned.ts";

export interface Sending {
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Says what was sent, once all of it was; undefined where nothing was. */
  readonly summary: Promise<string | undefined>;
}

export function openUpload({ out, signal }: Context, { upload, what }: PlannedBuild): Sending {
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
      const { path, extra, asRoot } = upload;
      return describe(packTree(path, { top: ".", followTop: true, extra, asRoot, onSkip, signal }));
    }
    default:
      return upload satisfies never;
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
