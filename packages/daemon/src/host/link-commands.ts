/**
 * Changes links, addresses, routes and neighbours through a helper that stays (native/netlink): a wake waits for some of
 * them, and starting `ip` for each costs more than all else that the host does for it. The words are those of `ip`.
 */
import { UniError } from "@uni/contract/errors";
import { findNativeProgram } from "./native-program.ts";
import { type ResidentProcess, startResident } from "./process.ts";

interface Helper {
  readonly process: ResidentProcess;
  readonly waiting: PromiseWithResolvers<string>[];
}

let helper: Helper | undefined;

/** Stops at the first failure; with `force` it goes on and reports them all at the end. */
export async function changeLinks(
  commands: readonly string[],
  { force = false }: { readonly force?: boolean } = {},
): Promise<void> {
  if (commands.length === 0) return;
  const answer = await ask(`${force ? "force;" : ""}${commands.join(";")}\n`);
  if (answer !== "ok") throw new UniError("failed", `change the host's network: ${answer}`);
}

function ask(list: string): Promise<string> {
  helper ??= start();
  const answer = Promise.withResolvers<string>();
  helper.waiting.push(answer);
  // An answer that is waited for keeps the daemon going; the helper does not.
  helper.process.ref();
  helper.process.write(list);
  return answer.promise;
}

function start(): Helper {
  const waiting: Helper["waiting"] = [];
  const process = startResident(findNativeProgram("netlink/netlink"), [], {
    onLine(line) {
      waiting.shift()?.resolve(line);
      if (waiting.length === 0) process.unref();
    },
    onEnd(reason) {
      if (helper?.waiting === waiting) helper = undefined;
      const error = new UniError("failed", `change the host's network: its helper is gone: ${reason}`);
      for (const answer of waiting.splice(0)) answer.reject(error);
    },
  });
  return { process, waiting };
}
