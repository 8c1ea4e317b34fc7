import type { SaveParams } from "@uni/contract/rpc";
import type { Context } from "./context.ts";
import { dataOf } from "./files/receive.ts";
import { writeWhole } from "./files/whole-file.ts";
import { startSpinner } from "./progress.ts";
import { formatBytes } from "./render/units.ts";

/** Images as one archive, in a file or, without one, on standard output; the bytes of it. */
export async function saveArchive(
  { client, out, signal }: Context,
  { file, ...params }: SaveParams & { readonly file: string | undefined },
): Promise<number> {
  const stream = await client.open("Image.Save", params, { signal });
  const doing = file === undefined ? "saving" : `writing ${file}`;
  const spinner = startSpinner(out, doing);
  let bytes = 0;
  const data = dataOf(stream, (count) => {
    bytes += count;
    spinner.update(`${doing}: ${formatBytes(bytes)}`);
  });
  try {
    if (file !== undefined) await writeWhole(file, data);
    else for await (const chunk of data) await out.bytes(out.stdout, chunk);
    return bytes;
  } finally {
    spinner.done();
    stream.close();
  }
}
