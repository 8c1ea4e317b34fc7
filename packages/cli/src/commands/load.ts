import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { UniError } from "@uni/contract/errors";
import { uploadTo } from "@uni/sdk/upload";
import type { CommandModule } from "../define.ts";
import { packTree } from "../files/pack.ts";
import { progressLines } from "../progress-lines.ts";
import { printable } from "../render/escape.ts";
import { systemReason } from "../system-reason.ts";

interface LoadOptions {
  readonly tag?: string;
}

async function openArchive(
  path: string,
  stdin: NodeJS.ReadStream,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  if (path === "-") {
    if (!stdin.isTTY) return stdin as AsyncIterable<Uint8Array>;
    throw new UniError("malformed", "reading an archive from standard input: that is a terminal");
  }
  const info = await stat(path).catch((cause) => {
    throw new UniError("not_found", `loading ${path}: ${systemReason(cause)}`, { cause });
  });
  if (!info.isDirectory()) return createReadStream(path);
  // An OCI layout: the daemon takes it as a tar.
  return packTree(path, { top: ".", followTop: true, signal }).tar;
}

export const load: CommandModule = {
  examples: ["uni load image.tar", "uni load ./oci-layout -t web:1.2", "docker save app | uni load -"],
  define(command, act) {
    command
      .argument("<file>", "OCI archive, OCI layout directory, docker-archive, or - for standard input")
      .option("-t, --tag <name[:tag]>", "name of the image (default: as the archive has it)")
      .action(
        act(async ({ client, out, signal, stdin }, path: string, { tag }: LoadOptions) => {
          const archive = await openArchive(path, stdin, signal);
          const params = tag === undefined ? {} : { reference: tag };
          const stream = await client.open("Image.Load", params, { signal });
          const progress = progressLines(out, `loading ${path}`);
          try {
            const images = await uploadTo(stream, archive, progress.onFrame);
            progress.done();
            await out.show(images, {
              text: () =>
                images
                  .map(({ digest, references }) => `${digest}  ${printable(references.join(" "))}\n`)
                  .join(""),
              names: () => images.map(({ digest }) => digest),
            });
          } finally {
            progress.done();
          }
        }),
      );
  },
};
