import { getSystemErrorMap } from "node:util";

/** Why a call to the system failed, in words alone: Node's own message repeats the call and the path. */
export function systemReason(error: unknown): string {
  const { errno, message } = error as NodeJS.ErrnoException;
  return (errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1]) ?? message;
}
