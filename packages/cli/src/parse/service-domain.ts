import { UniError } from "@uni/contract/errors";
import type { ServiceDomain } from "@uni/contract/resources/service-parts";
import { referenceOf } from "../reference.ts";

/** A name, or a full name with the certificate that it is to have: `www.example.com.=NAME`. Neither holds an equals sign. */
export function parseServiceDomain(text: string): ServiceDomain {
  const [name = "", certificate, ...rest] = text.split("=");
  if (name === "" || certificate === "" || rest.length > 0) {
    throw new UniError("malformed", `reading the domain '${text}': it is not NAME or NAME=CERTIFICATE`, {
      hint: "For example shop, or www.example.com.=www.",
    });
  }
  return { name, ...(certificate === undefined ? {} : { certificate: referenceOf(certificate) }) };
}

export const collectServiceDomains = (
  text: string,
  before: readonly ServiceDomain[] | undefined,
): ServiceDomain[] => [...(before ?? []), parseServiceDomain(text)];
