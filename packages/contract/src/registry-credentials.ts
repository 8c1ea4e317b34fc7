/** Credentials of a registry in one string, as an image's specification has them. */

export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

/** `user:password`, or the base64 of that, as Docker's config.json has it; undefined: it is neither. */
export function parseCredentials(text: string): RegistryCredentials | undefined {
  return split(text) ?? split(decode(text));
}

function split(text: string): RegistryCredentials | undefined {
  const colon = text.indexOf(":");
  return colon < 1 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

function decode(text: string): string {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return "";
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)));
  } catch {
    return "";
  }
}
