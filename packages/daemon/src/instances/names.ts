import { randomInt } from "node:crypto";
import { limits } from "@uni/contract/limits";

const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
const suffixLength = 5;

function randomSuffix(): string {
  return Array.from({ length: suffixLength }, () => letters[randomInt(letters.length)]).join("");
}

/** `<last part of the image's name>-<5 random characters>`; always a name that a request could have given. */
export function generatedName(imageReference: string): string {
  const path = imageReference.split("@")[0] ?? "";
  const last = (path.split("/").at(-1) ?? "").split(":")[0] ?? "";
  const base = last.replace(/[^A-Za-z0-9_.-]/g, "").replace(/^[^A-Za-z0-9]+/, "");
  return withSuffix(base === "" ? "instance" : base);
}

/** `<name>-<5 random characters>`, the name cut so that both fit. */
export const withSuffix = (name: string): string =>
  `${name.slice(0, limits.nameLength - suffixLength - 1)}-${randomSuffix()}`;

/** A DNS label made of a name; what the guest is called unless its owner says otherwise. */
export function hostnameFor(name: string): string {
  const label = name
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
  return label === "" ? "instance" : label;
}
