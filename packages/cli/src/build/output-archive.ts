import type { Context } from "../context.ts";
import { dataOf } from "../files/receive.ts";
import { writeWhole } from "../files/whole-file.ts";
import { startSpinner } from "../progress.ts";
import { formatBytes } from "../render/units.ts";

/** An OCI archive of images, under the names that they were built with. */
export async function writeArchive(
  { client, out, signal }: Context,
  references: readonly string[],
  file: string,
): Promise<void> {
  const stream = await client.open("Image.Save", { references: [...references], format: "oci" }, { signal });
  const spinner = startSpinner(out, `writing ${file}`);
  let bytes = 0;
  try {
    await writeWhole(
      file,
      dataOf(stream, (count) => {
        bytes += count;
        spinner.update(`writing ${file}: ${formatBytes(bytes)}`);
      }),
    );
  } finally {
    spinner.done();
    stream.close();
  }
  out.note(`Wrote ${file}, ${formatBytes(bytes)}.`);
}
