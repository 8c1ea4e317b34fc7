import type { ImageFile } from "@uni/contract/rpc";
import { frameKinds } from "@uni/contract/stream-frames";
import { jsonPayload } from "@uni/sdk/frame-stream";
import type { CommandModule } from "../../define.ts";
import { parseImagePath } from "../../parse/image-path.ts";
import { printable } from "../../render/escape.ts";
import { renderFiles } from "../../render/file-list.ts";

export const imageLs: CommandModule = {
  examples: ["uni image ls hello", "uni image ls hello:1.2:/etc", "uni image ls hello -R -q | grep ssl"],
  define(command, act) {
    command
      .argument("<image[:/path]>", "image, and a path in it (default: all at its root)")
      .option("-R, --recursive", "also what is below the directories")
      .action(
        act(async ({ client, out, signal }, text: string, options: { recursive?: boolean }) => {
          const params = { ...parseImagePath(text, "/"), recursive: options.recursive === true };
          const stream = await client.open("Image.Files", params, { signal });
          const files: ImageFile[] = [];
          await stream.finish((frame) => {
            if (frame.kind === frameKinds.event) files.push(jsonPayload(frame) as ImageFile);
          });
          await out.show(files, {
            text: () => renderFiles(files),
            names: () => files.map(({ path }) => printable(path)),
          });
        }),
      );
  },
};
