import { isUuid } from "@uni/contract/ids";
import type { RpcParams } from "@uni/contract/rpc-methods";
import type { CertificatesPort } from "./port.ts";
import { type RpcAnswer, type RpcContext, value } from "./rpc-answer.ts";

export const certificateMethods = (certificates: CertificatesPort) => ({
  "Certificate.Renew": async (
    { id }: RpcParams<"Certificate.Renew">,
    { account }: RpcContext,
  ): Promise<RpcAnswer> => value(await certificates.renew(account, isUuid(id) ? { uuid: id } : { name: id })),
});
