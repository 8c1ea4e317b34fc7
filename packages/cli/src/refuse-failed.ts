import { UniError } from "@uni/contract/errors";
import type { VmInfo } from "@uni/contract/rpc";

/** Its machine did not come up: the instance is there, and says why. */
export function refuseFailed({ name, state, exit_code, exit_reason }: VmInfo): void {
  if (state !== "stopped" || exit_code !== undefined) return;
  throw new UniError("failed", exit_reason ?? `start instance '${name}': its machine did not come up`, {
    hint: `The instance is kept. See: uni inspect ${name}`,
  });
}
