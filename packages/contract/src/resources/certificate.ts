import Type, { type Static } from "typebox";
import { certificateStates } from "../enums.ts";
import { outcomeMembers } from "../envelope.ts";
import { limits } from "../limits.ts";
import { answer, count, nameText, plainText, request, timestamp, words } from "../schema.ts";
import { referenceMembers } from "./reference.ts";

const chain = Type.String({
  minLength: 1,
  maxLength: limits.chainBytes,
  description: "PEM: the certificate, then its issuers in order",
});
const pkey = Type.String({
  minLength: 1,
  maxLength: limits.privateKeyBytes,
  description: "PEM: the certificate's private key, not encrypted",
});
const commonName = plainText("Full name that it is for, with or without a final dot");

export const CreateCertificateRequest = request({
  name: Type.Optional(nameText("Unique per account; default made of the common name")),
  common_name: Type.Optional(commonName),
  cn: Type.Optional(commonName),
  chain,
  pkey,
});
export type CreateCertificateRequest = Static<typeof CreateCertificateRequest>;

export const UpdateCertificateBody = request({ chain, pkey });
export const UpdateCertificatesItem = request({ ...referenceMembers, chain, pkey });
export type UpdateCertificatesItem = Static<typeof UpdateCertificatesItem>;

export const Certificate = answer({
  ...outcomeMembers,
  uuid: Type.String(),
  name: Type.String(),
  created_at: timestamp("Creation"),
  common_name: Type.String(),
  subject: Type.Optional(Type.String()),
  issuer: Type.Optional(Type.String()),
  serial_number: Type.Optional(Type.String({ description: "Hexadecimal" })),
  not_before: Type.Optional(timestamp("Valid from")),
  not_after: Type.Optional(timestamp("Valid until")),
  state: words(certificateStates),
  validation: Type.Optional(
    answer(
      {
        attempt: count("Current try"),
        next: timestamp("Next try"),
        reason: Type.Optional(Type.String({ description: "Why the last try failed, and what to do" })),
      },
      "Only until an authority has issued it, and while its renewal fails",
    ),
  ),
  service_groups: Type.Optional(
    Type.Array(answer({ uuid: Type.String(), name: Type.String() }), { description: "Groups that use it" }),
  ),
});
export type Certificate = Static<typeof Certificate>;

export const DeletedCertificate = answer({
  ...outcomeMembers,
  uuid: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
});
