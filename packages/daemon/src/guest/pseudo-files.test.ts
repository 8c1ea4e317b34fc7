/** The files of /uk/libukp, which the agent serves itself, and what the host hears of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { exec, fails, TestAgent } from "../../../../test/kit/test-agent.ts";
import { until } from "../../../../test/kit/until.ts";
import type { GuestChannel } from "./port.ts";

const agent = TestAgent.forEachTest();
const counter = "/uk/libukp/scale_to_zero_disable";

/** Reads lines from the guest's notices for as long as `command` does. */
async function listen(channel: GuestChannel, command: string) {
  const listener = await channel.exec({
    argv: ["sh", "-c", `exec 3</uk/libukp/notify; echo ready; ${command}`],
    env: {},
  });
  let heard = "";
  listener.io.on("data", (chunk) => {
    heard += chunk;
  });
  await until("the listener has opened its file", () => heard.startsWith("ready\n"));
  return { listener, heard: () => heard.slice("ready\n".length) };
}

test("the counter of inhibitors is there at the program's first instruction, for any user", async () => {
  const { channel, seen } = await agent.start([
    "sh",
    "-c",
    `cat ${counter}; echo + >${counter}; cat ${counter}; echo`,
  ]);
  await seen.wait("exited");
  assert.deepEqual([seen.output("stdout"), seen.output("stderr")], ["=0=1\n", ""]);
  const user = "app";
  const lines = `cd /uk/libukp; ls; stat -c '%a %u %n' notify scale*; echo +41 >>scale_to_zero_disable; cat scale_to_zero_disable`;
  const listing =
    "clone_signal\nfork\ninstance\nnotify\nscale_to_zero_disable\ntemplate_instance\nvm\n444 0 notify\n666 0 scale_to_zero_disable\n=42";
  assert.equal((await exec(channel, ["sh", "-c", lines], { user })).stdout, listing);
  assert.equal((await channel.stats()).inhibitors, 42);
  await until("the host heard", () => seen.events.some((e) => e.kind === "inhibited" && e.count === 42));
});

test("a program in that directory is started, and one that is none is refused, while its server is the agent itself", async () => {
  const { channel } = await agent.maintenance();
  const workingDirectory = "/uk/libukp";
  assert.equal((await exec(channel, ["pwd"], { workingDirectory })).stdout, "/uk/libukp\n");
  await assert.rejects(channel.exec({ argv: [counter], env: {} }), fails(/scale_to_zero_disable/));
});

test("what the counter cannot take is EINVAL or ERANGE, and what is not for programs is refused", async () => {
  const { channel } = await agent.maintenance();
  const failing = async (line: string, user = "") =>
    (await exec(channel, ["sh", "-c", line], { user })).stderr;
  assert.match(await failing(`echo seven >${counter}`), /Invalid argument/);
  assert.match(await failing(`echo - >${counter}`), /Numerical result out of range|out of range/);
  assert.match(await failing(`echo =18446744073709551616 >${counter}`), /out of range/);
  assert.match(await failing("echo x >/uk/libukp/notify"), /[Pp]ermission denied/);
  assert.match(await failing("touch /uk/libukp/mine"), /[Pp]ermitted|[Pp]ermission/);
  assert.match(await failing(`rm -f ${counter}`, "app"), /denied|permitted/);
  assert.equal((await channel.stats()).inhibitors, 0);
});

test("a flood of changes comes as few events, the last of which is right", async () => {
  const { channel, seen } = await agent.maintenance();
  const loop = `i=0; while [ $i -lt 2000 ]; do echo + >${counter}; i=$((i+1)); done`;
  assert.equal((await exec(channel, ["sh", "-c", loop])).code, 0);
  await until("the last change", () => {
    const last = seen.events.at(-1);
    return last?.kind === "inhibited" && last.count === 2000;
  });
  assert.ok(seen.events.length < 1000, `${seen.events.length} events`);
});

test("a notice wakes who reads, who polls, and nobody else is needed", async () => {
  const { channel } = await agent.maintenance();
  await channel.notify("nobody listens");
  const first = await listen(channel, "while read -t 50 line <&3; do echo $line; done");
  const second = await listen(channel, "while read line <&3; do echo got $line; done");
  await channel.notify("scaletozero");
  await channel.notify("again");
  await until(
    "both heard",
    () => first.heard() === "scaletozero\nagain\n" && second.heard() === "got scaletozero\ngot again\n",
  );
  // A reader that is killed while it waits must go: the kernel lets it only when its read is answered.
  await first.listener.signal(9);
  assert.equal(await first.listener.exitCode, 137);
  await second.listener.signal(15);
  assert.equal(await second.listener.exitCode, 143);
  await assert.rejects(channel.notify("two\nlines"), fails(/one line/));
});
