import { readFile } from "node:fs/promises";
import { UniError } from "@uni/contract/errors";
import type { Clock } from "../../base/clock.ts";
import { AccountKey, type Binding } from "./account-key.ts";
import type { AcmeOptions } from "./options.ts";
import { AcmeSession } from "./session.ts";
import { openTransport, type Transport } from "./transport.ts";

export interface SessionSource {
  /** The same one at each call; made when it is first needed. */
  readonly session: () => Promise<AcmeSession>;
  readonly close: () => void;
}

/** `directory`: where keys of accounts lie. */
export function sessionSource(options: AcmeOptions, directory: string, clock: Clock): SessionSource {
  let opened: Promise<AcmeSession> | undefined;
  let transport: Transport | undefined;

  async function open(): Promise<AcmeSession> {
    const binding = await readBinding(options.binding);
    transport = await openTransport(options.caFile, clock);
    const key = await AccountKey.open(directory, options.directory);
    const { directory: url, email } = options;
    return new AcmeSession({ directory: url, transport, key, email, binding, clock });
  }

  return {
    session() {
      opened ??= open().catch((error) => {
        opened = undefined;
        throw error;
      });
      return opened;
    },
    close: () => transport?.close(),
  };
}

async function readBinding(given: AcmeOptions["binding"]): Promise<Binding | undefined> {
  if (given === undefined) return undefined;
  try {
    return { kid: given.kid, key: (await readFile(given.keyFile, "utf8")).trim() };
  } catch (error) {
    throw new UniError("not_found", `read the key '${given.keyFile}': ${(error as Error).message}`, {
      hint: "See unid --acme-eab-key-file.",
    });
  }
}
