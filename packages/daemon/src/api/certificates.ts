import { UniError } from "@uni/contract/errors";
import type { CreateCertificateRequest, UpdateCertificatesItem } from "@uni/contract/resources/certificate";
import type { Call } from "./call.ts";
import { createNamed, deleteNamed, readNamed } from "./named-resources.ts";
import { type Answer, items } from "./outcome.ts";
import type { CertificatesPort } from "./port.ts";
import { attempt, bodyItems } from "./references.ts";

export function createCertificate(certificates: CertificatesPort, call: Call): Promise<Answer> {
  const { cn, common_name: given, ...rest } = call.body as CreateCertificateRequest;
  if (cn !== undefined && given !== undefined) {
    throw new UniError("exclusive", "Only one of 'cn' and 'common_name' can be given");
  }
  const common_name = given ?? cn;
  if (common_name === undefined) throw new UniError("invalid_value", "Missing member 'common_name'");
  return createNamed(call, rest.name, () => certificates.create(call.account, { ...rest, common_name }));
}

export const getCertificates = (certificates: CertificatesPort, call: Call): Promise<Answer> =>
  readNamed(certificates, call);

/** One after the other, for several items may be about one certificate. */
export async function updateCertificates(certificates: CertificatesPort, call: Call): Promise<Answer> {
  const answers: object[] = [];
  for (const { reference, item } of bodyItems<UpdateCertificatesItem>(call)) {
    const { chain, pkey } = item;
    answers.push(
      await attempt(call.log, reference, async () => ({
        status: "success" as const,
        ...(await certificates.update(call.account, reference, { chain, pkey })),
      })),
    );
  }
  return items(answers);
}

export const deleteCertificates = (certificates: CertificatesPort, call: Call): Promise<Answer> =>
  deleteNamed(certificates, call);
