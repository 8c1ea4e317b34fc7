import { imageArchitecture } from "@uni/contract/architecture";
import { UniError } from "@uni/contract/errors";

/** `--arch ARCH` or `--platform OS/ARCH`: what is built can only be for this machine. */
export function checkArchitecture(
  { arch, platform }: { readonly arch?: string; readonly platform?: string },
  own: string,
): void {
  if (arch !== undefined) requireOwn("--arch", arch, own);
  if (platform === undefined) return;
  const [system = "", architecture = ""] = platform.split("/");
  if (!["linux", "kraftcloud"].includes(system) || architecture === "") {
    throw new UniError("invalid_value", `reading --platform ${platform}: it is not linux/ARCHITECTURE`);
  }
  requireOwn("--platform", architecture, own);
}

function requireOwn(option: string, architecture: string, own: string): void {
  if (imageArchitecture(architecture) === own) return;
  throw new UniError("not_supported", `reading ${option} ${architecture}: this machine is ${own}`, {
    hint: "Uni builds and runs for the machine it is on, and for no other.",
  });
}
