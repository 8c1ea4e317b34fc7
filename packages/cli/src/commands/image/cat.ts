import { frameKinds } from "@uni/contract/stream-frames";
import type { CommandModule } from "../../define.ts";
import { parseImagePath } from "../../parse/image-path.ts";

export const imageCat: CommandModule = {
  examples: ["uni image cat hello:/etc/os-release", "uni image cat hello:1.2:/app/data.bin > data.bin"],
  define(command, act) {
    command.argument("<image:/path...>", "files").action(
      act(async ({ client, out, signal }, paths: string[]) => {
        for (const params of paths.map((path) => parseImagePath(path))) {
          const stream = await client.open("Image.ReadFile", params, { signal });
          await stream.finish(async ({ kind, payload }) => {
            if (kind === frameKinds.data) await out.bytes(out.stdout, payload);
          });
        }
      }),
    );
  },
};
