import { randomInt } from "node:crypto";

const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
const suffixLength = 5;

export function randomSuffix(): string {
  return Array.from({ length: suffixLength }, () => letters[randomInt(letters.length)]).join("");
}

/** `<last part of the image's name>-<5 random characters>`. */
export function generatedName(imageReference: string): string {
  const path = imageReference.split("@")[0] ?? "";
  const base = (path.split("/").at(-1) ?? "").split(":")[0]?.replace(/[^A-Za-z0-9_.-]/g, "") ?? "";
  return `${base === "" ? "instance" : base}-${randomSuffix()}`;
}

/** A DNS label made of a name; what the guest is called unless its owner says otherwise. */
export function hostnameFor(name: string): string {
  const label = name
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
  return label === "" ? "instance" : label;
}
