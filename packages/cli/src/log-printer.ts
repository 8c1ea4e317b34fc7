import type { LogLine } from "@uni/contract/rpc";
import type { Output } from "./output.ts";
import { printable } from "./render/escape.ts";

/** The program's own output goes where it went in the guest, byte for byte; what Uni says goes to stderr. */
export function logPrinter(out: Output, timestamps = false): (line: LogLine) => Promise<void> {
  /** Streams whose last line goes on. */
  const open = new Set<LogLine["stream"]>();
  return ({ time, stream, line, base64, unended }) => {
    if (out.structured) return out.showItem({ time, stream, line, base64, unended }, () => "");
    const prefix = timestamps && !open.has(stream) ? `${time} ` : "";
    if (stream === "system") {
      // A terminal shows both streams: Uni's words begin a line of their own.
      const before = open.size > 0 && out.stderr.isTTY === true ? "\n" : "";
      return out.bytes(out.stderr, `${before}${prefix}uni: ${printable(line)}\n`);
    }
    if (unended === true) open.add(stream);
    else open.delete(stream);
    const content = base64 === undefined ? Buffer.from(line) : Buffer.from(base64, "base64");
    const bytes = Buffer.concat([Buffer.from(prefix), content, Buffer.from(unended === true ? "" : "\n")]);
    return out.bytes(stream === "stdout" ? out.stdout : out.stderr, bytes);
  };
}
