/** What programs commonly expect of a root file system, and no more. */
import type { TarMember } from "../tar-writer.ts";

const text = (content: string) => ({ size: content.length, content: [Buffer.from(content)] });
const directory = (name: string, mode = 0o755) => ({ name, mode, size: 0, content: [] });

export const skeleton: readonly TarMember[] = [
  directory("bin/"),
  directory("dev/"),
  directory("etc/"),
  { name: "etc/group", mode: 0o644, ...text("root:x:0:\nnogroup:x:65534:\n") },
  {
    name: "etc/passwd",
    mode: 0o644,
    ...text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"),
  },
  directory("proc/"),
  directory("root/", 0o700),
  directory("run/"),
  directory("sys/"),
  directory("tmp/", 0o1777),
  directory("var/"),
];
