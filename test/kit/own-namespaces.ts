/**
 * Puts a test file into network, process and mount namespaces of its own. Whatever it starts or makes there ends with
 * it, also when it is killed, and a free port is free. Call it before anything else in the file.
 */
import assert from "node:assert/strict";

const mark = "UNI_TEST_OWN_NAMESPACES";

/**
 * A sysfs mounted here shows this namespace's devices; `ip netns` keeps its names to itself. TAP devices are for root alone,
 * as on a host without udev, whatever this one grants.
 */
const prepare = [
  "mount -t sysfs sysfs /sys",
  "mkdir -p /run/netns",
  "mount -t tmpfs tmpfs /run/netns",
  "mknod -m 600 /run/netns/tun c 10 200",
  "mount --bind /run/netns/tun /dev/net/tun",
  "rm /run/netns/tun",
  "ip link set lo up",
].join(" && ");

/**
 * Replaces this process by itself in new namespaces (execve(2)): its output, which Node's runner reads, stays the
 * same pipe. The shell stays as process 1, because that one must reap what the tests orphan.
 */
export function enterOwnNamespaces(): void {
  if (process.env[mark] !== undefined) return;
  assert.equal(process.getuid?.(), 0, "tests that start machines make network devices: run them as root");
  // Ends with the runner that started it, and its namespaces with it.
  const tied = ["setpriv", "--pdeathsig", "KILL", "--"];
  const unshare = ["unshare", "--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"];
  const shell = ["sh", "-c", `${prepare} && "$@"; exit $?`, "sh"];
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.execve?.("/usr/bin/setpriv", [...tied, ...unshare, ...shell, ...self], {
    ...process.env,
    [mark]: "1",
  });
}
