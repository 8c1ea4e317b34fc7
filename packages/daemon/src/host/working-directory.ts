import { statSync } from "node:fs";
import type { ProcessIdentity } from "./process-identity.ts";

/** Whether relative names mean this directory to the process; false of one that is gone. */
export function worksIn({ pid }: ProcessIdentity, directory: string): boolean {
  try {
    const [own, other] = [statSync(`/proc/${pid}/cwd`), statSync(directory)];
    return own.dev === other.dev && own.ino === other.ino;
  } catch {
    return false;
  }
}
