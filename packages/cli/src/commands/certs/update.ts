import type { Certificate } from "@uni/contract/resources/certificate";
import { envelopeItems } from "@uni/sdk/envelope-items";
import {
  addCertificateOptions,
  type CertificateOptions,
  readCertificateFiles,
} from "../../certificate-files.ts";
import type { CommandModule } from "../../define.ts";
import { referenceOf } from "../../reference.ts";

export const certsUpdate: CommandModule = {
  examples: ["uni certs update star --chain star.pem --key star.key"],
  define(command, act) {
    command.argument("<name>", "certificate");
    addCertificateOptions(command).action(
      act(async ({ client, out, signal }, name: string, options: CertificateOptions) => {
        const body = [{ ...referenceOf(name), ...(await readCertificateFiles(options)) }];
        const envelope = await client.operation("updateCertificates", { body }, { signal });
        const [updated] = envelopeItems<Certificate>(envelope, "certificates", `updating '${name}'`);
        await out.show(updated, { text: () => `${updated?.name}\n` });
      }),
    );
  },
};
