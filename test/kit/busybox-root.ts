/** A root file system of one static busybox: small, quick to import, and with all that the tests ask for. */
import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const applets = [
  [
    "sh",
    "ash",
    "cat",
    "echo",
    "ls",
    "id",
    "env",
    "pwd",
    "sleep",
    "true",
    "false",
    "head",
    "od",
    "wget",
    "nc",
    "httpd",
  ],
  [
    "hostname",
    "ip",
    "ping",
    "dd",
    "kill",
    "ps",
    "sync",
    "date",
    "mkdir",
    "rm",
    "touch",
    "stat",
    "wc",
    "tty",
    "stty",
  ],
  [
    "md5sum",
    "sha256sum",
    "seq",
    "yes",
    "tee",
    "test",
    "chmod",
    "chown",
    "ln",
    "readlink",
    "mount",
    "df",
    "grep",
    "printf",
  ],
  ["nslookup", "tail", "usleep", "uname", "sort", "cut", "tr", "which", "free", "vi", "unshare"],
].flat();

const passwd = ["root:x:0:0:root:/root:/bin/sh", "app:x:1000:1000:app:/home/app:/bin/sh", ""].join("\n");
const group = ["root:x:0:", "app:x:1000:", "extra:x:2000:app", ""].join("\n");

export function makeBusyboxRoot(directory: string): void {
  for (const name of ["bin", "etc", "root", "home/app", "tmp", "proc", "sys", "dev", "var"]) {
    mkdirSync(join(directory, name), { recursive: true });
  }
  chmodSync(join(directory, "tmp"), 0o1777);
  copyFileSync("/bin/busybox", join(directory, "bin/busybox"));
  chmodSync(join(directory, "bin/busybox"), 0o755);
  for (const applet of applets) symlinkSync("busybox", join(directory, "bin", applet));
  writeFileSync(join(directory, "etc/passwd"), passwd);
  writeFileSync(join(directory, "etc/group"), group);
  // As in images made to be cloned: it is filled at each start.
  writeFileSync(join(directory, "etc/machine-id"), "uninitialized\n");
  writeFileSync(join(directory, "etc/os-release"), "ID=busybox-test\n");
}
