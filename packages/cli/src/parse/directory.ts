import { InvalidArgumentError } from "commander";

/** A working directory in the guest. */
export function parseDirectory(text: string): string {
  if (text.startsWith("/")) return text;
  throw new InvalidArgumentError("Give an absolute path, such as /srv.");
}
