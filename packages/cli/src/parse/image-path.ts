import { UniError } from "@uni/contract/errors";

export interface ImagePath {
  readonly reference: string;
  readonly path: string;
}

/** `IMAGE:/path`; a reference has colons too, but no slash behind one. */
export function parseImagePath(text: string, whole?: string): ImagePath {
  const at = text.indexOf(":/");
  if (at > 0) return { reference: text.slice(0, at), path: text.slice(at + 1) };
  if (whole !== undefined && text !== "") return { reference: text, path: whole };
  throw new UniError("invalid_value", `reading '${text}': the path in the image is missing`, {
    hint: `Write it as IMAGE:/path, such as hello:latest:/etc/passwd.`,
  });
}
