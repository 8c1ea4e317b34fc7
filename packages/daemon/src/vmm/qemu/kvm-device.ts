/** Who may open /dev/kvm, by its permissions: QEMU runs without privileges. */
import { statSync } from "node:fs";

export const kvmDevice = "/dev/kvm";

export type KvmAccess =
  | { readonly for: "all" }
  | { readonly for: "group"; readonly gid: number }
  /** The group root is no way in: it may read what is none of a machine's business. */
  | { readonly for: "root" }
  | { readonly for: "none" };

const readAndWrite = 0o6;

/** `none` if there is no such device. */
export function kvmAccess(device: string = kvmDevice): KvmAccess {
  const stat = statSync(device, { throwIfNoEntry: false });
  if (stat === undefined) return { for: "none" };
  const may = (shift: number) => ((stat.mode >> shift) & readAndWrite) === readAndWrite;
  if (may(0)) return { for: "all" };
  return may(3) && stat.gid !== 0 ? { for: "group", gid: stat.gid } : { for: "root" };
}
