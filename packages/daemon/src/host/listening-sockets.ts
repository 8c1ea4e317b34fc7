/** Who listens on which port of this host, from /proc/net and /proc/PID/fd (proc(5)). */
import { readdir, readFile, readlink } from "node:fs/promises";
import { endianness } from "node:os";
import { readTextIfExists } from "./files.ts";

export interface ListeningSocket {
  readonly protocol: "tcp" | "udp";
  /** Dotted quad; "::" listens on IPv4 as well unless told otherwise; other IPv6 addresses are 32 hex digits. */
  readonly address: string;
  readonly port: number;
  readonly inode: string;
}

export interface SocketOwner {
  readonly pid: number;
  readonly name: string;
}

const tables = [
  { file: "/proc/net/tcp", protocol: "tcp" },
  { file: "/proc/net/tcp6", protocol: "tcp" },
  { file: "/proc/net/udp", protocol: "udp" },
  { file: "/proc/net/udp6", protocol: "udp" },
] as const;

export async function listeningSockets(): Promise<readonly ListeningSocket[]> {
  const found = await Promise.all(
    tables.map(async ({ file, protocol }) =>
      parseSocketTable((await readTextIfExists(file)) ?? "", protocol),
    ),
  );
  return found.flat();
}

/** The first process that holds the socket; undefined if none is visible (gone, or a kernel socket). */
export async function ownerOfSocket(inode: string): Promise<SocketOwner | undefined> {
  const link = `socket:[${inode}]`;
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid) || !(await holds(pid, link))) continue;
    const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "?");
    return { pid: Number(pid), name: name.trim() };
  }
  return undefined;
}

/** States: TCP listens in 0A (TCP_LISTEN); a UDP socket that is bound and not connected is 07 (TCP_CLOSE). */
export function parseSocketTable(text: string, protocol: "tcp" | "udp"): ListeningSocket[] {
  const wantedState = protocol === "tcp" ? "0A" : "07";
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [address, port] = (fields[1] ?? "").split(":");
      const inode = fields[9];
      if (address === undefined || port === undefined || inode === undefined) return [];
      if (fields[3] !== wantedState) return [];
      return [{ protocol, address: decodeAddress(address), port: Number.parseInt(port, 16), inode }];
    });
}

/** Addresses are printed as 32-bit words in the host's byte order. */
function decodeAddress(hex: string): string {
  const bytes = Buffer.from(hex, "hex");
  if (endianness() === "LE") bytes.swap32();
  if (bytes.length === 4) return bytes.join(".");
  const text = bytes.toString("hex");
  if (/^0{32}$/.test(text)) return "::";
  return text.startsWith("00000000000000000000ffff") ? bytes.subarray(12).join(".") : text;
}

async function holds(pid: string, link: string): Promise<boolean> {
  // Processes end while we look, and then have no descriptors.
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
  for (const descriptor of descriptors) {
    if ((await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => "")) === link) return true;
  }
  return false;
}
