import type { Certificate } from "@uni/contract/resources/certificate";
import { envelopeItems } from "@uni/sdk/envelope-items";
import {
  addCertificateOptions,
  type CertificateOptions,
  readCertificateFiles,
} from "../../certificate-files.ts";
import type { CommandModule } from "../../define.ts";

interface Options extends CertificateOptions {
  readonly cn: string;
  readonly name?: string;
}

export const certsAdd: CommandModule = {
  examples: [
    "uni certs add --cn www.example.com --chain fullchain.pem --key privkey.pem",
    "uni certs add --cn '*.example.com' --name star --chain star.pem --key star.key",
  ],
  define(command, act) {
    command
      .requiredOption("--cn <name>", "full name that it is for")
      .option("--name <name>", "how it is called here; made of the common name otherwise");
    addCertificateOptions(command).action(
      act(async ({ client, out, signal }, options: Options) => {
        const { name, cn: common_name } = options;
        const files = await readCertificateFiles(options);
        const body = { common_name, ...files, ...(name === undefined ? {} : { name }) };
        const envelope = await client.operation("createCertificate", { body }, { signal });
        const [made] = envelopeItems<Certificate>(envelope, "certificates", "adding a certificate");
        await out.show(made, { text: () => `${made?.name}\n` });
      }),
    );
  },
};
