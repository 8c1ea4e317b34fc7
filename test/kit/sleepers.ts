/** Instances that sleep: how deep, and whether what wakes is what fell asleep. */
import assert from "node:assert/strict";
import type { TestDaemon } from "./daemon.ts";
import { httpClient } from "./load.ts";
import { runScript } from "./machine-test.ts";
import { until } from "./until.ts";

/** Says what is in its memory, and how often it counted so far: a boot would begin anew. */
export const remember = [
  'n=$(cat /proc/sys/kernel/random/uuid); i=0; mkdir -p /www; echo "$n 0" >/www/index.html',
  'while :; do i=$((i+1)); echo "$n $i" >/www/new; mv /www/new /www/index.html; sleep 0.1; done &',
  "exec httpd -f -p 8080 -h /www",
].join("\n");

/** Options of an instance that falls asleep with its memory, and soon. */
export const idly: readonly string[] = ["--scale-to-zero", "idle", "--cooldown", "0.3", "--stateful"];

/** Waits for as long as a person would; `fetch` gives a connection ten seconds, which a busy machine may need for a wake. */
export const page = (url: string): Promise<string> => {
  const { hostname, port } = new URL(url);
  return httpClient(url, hostname, Number(port)).ask();
};

export async function memoryAt(url: string): Promise<{ nonce: string; count: number }> {
  const [nonce = "", count] = (await until("it counts", () => page(url))).split(" ");
  return { nonce, count: Number(count) };
}

/** `running`, the tier of one that sleeps, or another state. Over REST: a process for each look would take the guests' time. */
export async function tierOf(daemon: TestDaemon, name: string): Promise<string> {
  const { status, body } = await daemon.rest("GET", `/instances?name=${name}`);
  assert.equal(status, 200, `look for ${name}`);
  const { state, sleep } = body.data.instances[0];
  return state === "standby" ? sleep.tier : state;
}

export const reached = (daemon: TestDaemon, name: string, goal: string): Promise<true> =>
  until(`${name} is ${goal}`, async () => {
    assert.equal(await tierOf(daemon, name), goal);
    return true;
  });

/**
 * Suspends one that has just been spoken to. The last packets of a connection, which its other side may end seconds later as
 * the edge does, turn a suspension back: then it is asked for again.
 */
export const suspendToDisk = (daemon: TestDaemon, name: string): Promise<true> =>
  until(`${name} is suspended to disk`, async () => {
    await daemon.ok(["suspend", name]);
    assert.equal(await tierOf(daemon, name), "disk");
    return true;
  });

/** Runs one whose memory `memoryAt` reads, and returns its URL. */
export async function runRemembering(
  daemon: TestDaemon,
  name: string,
  options: readonly string[] = [],
): Promise<string> {
  await runScript(daemon, name, remember, options);
  const url = `http://${(await daemon.json(["inspect", name])).private_ip}:8080/`;
  await counting(url);
  return url;
}

/** The memory of one whose program may not have begun yet. */
export async function counting(url: string): Promise<{ nonce: string; count: number }> {
  await until(`${url} counts`, () =>
    page(url).then(
      (text) => / \d+$/.test(text),
      () => false,
    ),
  );
  return memoryAt(url);
}
