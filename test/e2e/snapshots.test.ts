/** Templates, branches, checkpoints and rewinds of real machines. */
import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, test } from "node:test";
import { readSleepMeta, sleepMetaText } from "../../packages/daemon/src/vmm/qemu/sleep-snapshot.ts";
import { buildBusybox, daemonForFile, removeAll, runScript } from "../kit/machine-test.ts";
import { runProgram } from "../kit/programs.ts";
import { until } from "../kit/until.ts";

const uni = await daemonForFile();
await buildBusybox(uni);

beforeEach(() => removeAll(uni));

/** A nonce that a boot would draw anew, and a count that goes on. */
const remember = [
  "n=$(cat /proc/sys/kernel/random/uuid); i=0; mkdir -p /www",
  'while :; do i=$((i+1)); echo "$n $i" >/www/new; mv /www/new /www/index.html; sleep 0.1; done &',
  "exec httpd -f -p 8080 -h /www",
].join("\n");

async function page(name: string): Promise<string> {
  const address = (await uni.json(["inspect", name])).private_ip;
  return until(`${name} answers`, async () => {
    const answer = await fetch(`http://${address}:8080/`, {
      headers: { connection: "close" },
      signal: AbortSignal.timeout(5_000),
    }).catch(() => undefined);
    const text = (await answer?.text())?.trim() ?? "";
    return / \d+$/.test(text) && text;
  });
}

async function memoryOf(name: string): Promise<{ nonce: string; count: number }> {
  const [nonce = "", count] = (await page(name)).split(" ");
  return { nonce, count: Number(count) };
}

const inGuest = (name: string, script: string): Promise<string> => uni.ok(["exec", name, "sh", "-c", script]);

test("a branch goes on with memory and disk of its source, under a name and address of its own", async () => {
  await runScript(uni, "web", remember);
  await inGuest("web", "echo before >/file");
  const before = await memoryOf("web");
  await uni.ok(["branch", "web", "--name", "copy"]);
  const copy = await memoryOf("copy");
  assert.equal(copy.nonce, before.nonce, "it was resumed, not booted");
  assert.ok(copy.count >= before.count);
  const [web, other] = [await uni.json(["inspect", "web"]), await uni.json(["inspect", "copy"])];
  assert.notEqual(web.private_ip, other.private_ip);
  assert.equal((await inGuest("copy", "hostname")).trim(), "copy");
  await inGuest("copy", "echo after >/file");
  assert.equal((await inGuest("web", "cat /file")).trim(), "before");
  assert.ok((await memoryOf("web")).count > before.count, "its source goes on");
});

test("clones of a template have its memory, and outlive it", async () => {
  await runScript(uni, "base", remember);
  const { nonce } = await memoryOf("base");
  await uni.ok(["template", "create", "base"]);
  assert.equal((await uni.refused(["inspect", "base"])).code, "not_found");
  for (const name of ["one", "two"]) await uni.ok(["run", "--template", "base", "--name", name]);
  await uni.ok(["template", "rm", "base"]);
  for (const name of ["one", "two"]) assert.equal((await memoryOf(name)).nonce, nonce);
  await uni.ok(["suspend", "one"]);
  assert.equal((await memoryOf("one")).nonce, nonce, "it sleeps and wakes without its template");
});

test("a program makes a template of itself, and its write returns in the clone", async () => {
  const script = `n=$(cat /proc/sys/kernel/random/uuid); echo 1 >/uk/libukp/template_instance; i=0; ${remember.replace(/^n=\S+ i=0; /, "")}`;
  await runScript(uni, "base", script);
  await until("it is a template", async () => (await uni.json(["template", "ls"])).length === 1);
  await uni.ok(["run", "--template", "base", "--name", "one"]);
  assert.ok((await memoryOf("one")).count > 0);
});

test("rewind: memory and disk as they were, the address as it is", async () => {
  await runScript(uni, "web", remember);
  await inGuest("web", "echo before >/file");
  const before = await memoryOf("web");
  const { private_ip: address } = await uni.json(["inspect", "web"]);
  await uni.ok(["checkpoint", "create", "web", "--name", "first"]);
  await inGuest("web", "echo after >/file; sync");
  const later = await until("it went on", async () => {
    const now = await memoryOf("web");
    return now.count > before.count + 30 && now;
  });
  await uni.ok(["rewind", "web", "first"]);
  const rewound = await memoryOf("web");
  assert.equal(rewound.nonce, before.nonce);
  assert.ok(rewound.count < later.count, `${rewound.count} is before ${later.count}`);
  assert.equal((await inGuest("web", "cat /file")).trim(), "before");
  assert.equal((await uni.json(["inspect", "web"])).private_ip, address);
});

/** Sends numbers to the next of the ring, which sends them on; counts what comes out of order. */
const ring = (next: string, isFirst: boolean): string => `
import socket, threading
state = {"sent": 0, "seen": 0, "wrong": 0}
listener = socket.create_server(("0.0.0.0", 9000))
def serve():
    client, _ = listener.accept()
    for line in client.makefile():
        number = int(line)
        state["wrong"] += number != state["seen"] + 1
        state["seen"] = number
        ${isFirst ? "forward(number + 1)" : "forward(number)"}
lock = threading.Lock()
out = None
def forward(number):
    with lock:
        state["sent"] = number
        out.sendall(b"%d\\n" % number)
def tell():
    page = socket.create_server(("0.0.0.0", 8080))
    while True:
        client, _ = page.accept()
        client.recv(4096)
        body = "%(sent)d %(seen)d %(wrong)d" % state
        client.sendall(("HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n%s" % (len(body), body)).encode())
        client.close()
threading.Thread(target=tell, daemon=True).start()
import time
while out is None:
    try:
        with open("/tmp/next") as file: out = socket.create_connection((file.read().strip(), 9000))
    except OSError: time.sleep(0.1)
${isFirst ? "threading.Timer(1, forward, [1]).start()" : ""}
try: serve()
except OSError: pass
threading.Event().wait()
# ${next}
`;

/** Three that pass numbers around; what each has sent, seen, and seen out of order. */
async function runRing(): Promise<readonly string[]> {
  await uni.ok(["build", "examples/python", "-t", "python"], { deadlineMs: 300_000 });
  const names = ["a", "b", "c"];
  for (const [index, name] of names.entries()) {
    const program = ring(names[(index + 1) % 3] ?? "", index === 0);
    await uni.ok(["run", "--name", name, "-m", "256", "python", "-c", program]);
  }
  for (const [index, name] of names.entries()) {
    const next = (await uni.json(["inspect", names[(index + 1) % 3] ?? ""])).private_ip;
    await inGuest(name, `echo ${next} >/tmp/next`);
  }
  await round(20);
  return names;
}

const read = async (name: string): Promise<readonly [sent: number, seen: number, wrong: number]> => {
  const [sent = 0, seen = 0, wrong = 0] = (await page(name)).split(" ").map(Number);
  return [sent, seen, wrong];
};

const round = (above: number) =>
  until(`the numbers pass ${above}`, async () => {
    const [sent] = await read("a");
    return sent > above && sent;
  });

test("three that pass numbers around are kept and rewound together: none is lost, none seen twice", async () => {
  const names = await runRing();
  await uni.ok(["checkpoint", "create", ...names, "--suffix", "kept"]);
  const later = (await round((await read("a"))[0] + 50)) || 0;
  await uni.ok(["rewind", ...names, "--suffix", "kept"]);
  await round(later);
  for (const name of names) assert.equal((await read(name))[2], 0, `${name} saw each number once`);
});

test("three that pass numbers around are branched together: no copy has seen what no copy has sent", async () => {
  const names = await runRing();
  // One of them goes on while another is still being taken: at which moment the numbers pass is chance.
  for (let attempt = 0; attempt < 6; attempt++) {
    await uni.ok(["branch", ...names, "--suffix", "copy"]);
    const copies = await Promise.all(names.map((name) => read(`${name}-copy`)));
    for (const [index, [sent, , wrong]] of copies.entries()) {
      const [, seen] = copies[(index + 1) % 3] ?? [0, Number.NaN];
      assert.ok(sent - seen === 0 || sent - seen === 1, `sent ${sent}, seen ${seen}`);
      assert.equal(wrong, 0);
    }
    await round((await read("a"))[0] + 20);
    for (const name of names) assert.equal((await read(name))[2], 0, `${name} goes on as if nothing was`);
    await uni.ok(["rm", "-f", ...names.map((name) => `${name}-copy`)]);
  }
});

test("a program forks its machine, and learns how its child ended", async () => {
  const script = `
    echo >/uk/libukp/fork && read -r child </uk/libukp/fork
    case $child in 0000*) while [ ! -e /go ]; do sleep 0.1; done; exit 7;; esac
    echo "$child" >/child
    echo >/uk/libukp/vm/$child/wait && cat /uk/libukp/vm/$child/wait >/code
    while :; do sleep 1; done`;
  await runScript(uni, "web", script);
  const child = await until("the parent knows its child", async () => {
    const text = (await inGuest("web", "cat /child 2>/dev/null || :")).trim();
    return text.length === 36 && text;
  });
  const { name } = await uni.json(["inspect", child || ""]);
  await until("the child runs", async () => (await uni.json(["inspect", name])).state === "running");
  await inGuest(name, "touch /go");
  const code = await until("the parent learns how it ended", async () => {
    const text = (await inGuest("web", "cat /code 2>/dev/null || :")).trim();
    return text !== "" && text;
  });
  assert.equal(code, "7");
  await until("the child is gone", async () => (await uni.json(["ps", "-a"])).length === 1);
});

test("a template of another QEMU says why it cannot be used, and takes nothing along", async () => {
  await runScript(uni, "base", remember);
  const { nonce } = await memoryOf("base");
  await uni.ok(["template", "create", "base"]);
  const snapshots = join(uni.dataDirectory, "snapshots");
  await until("others are swept", () => readdirSync(snapshots).length === 1);
  const directory = join(snapshots, readdirSync(snapshots)[0] ?? "");
  const meta = readSleepMeta(directory);
  assert.ok(typeof meta !== "string");
  const path = join(directory, "meta.json");
  writeFileSync(path, sleepMetaText({ ...meta, madeBy: { ...meta.madeBy, qemu: "1.0" } }));
  const refused = await uni.uni(["run", "--template", "base", "--name", "one"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /made by QEMU 1\.0/);
  assert.match(
    (await uni.refused(["run", "--template", "base", "--name", "two"])).message,
    /made by QEMU 1\.0/,
  );
  await uni.ok(["rm", "two"]);
  writeFileSync(path, sleepMetaText(meta));
  await uni.ok(["start", "one"]);
  assert.equal((await memoryOf("one")).nonce, nonce, "it has lost nothing meanwhile");
});

test("a live PostgreSQL is branched, and both go on apart", async () => {
  await uni.ok(["build", "examples/postgres", "-t", "postgres"], { deadlineMs: 300_000 });
  await uni.ok(["run", "--name", "db", "-m", "512", "-e", "POSTGRES_PASSWORD=secret", "postgres"]);
  const ask = async (name: string, sql: string): Promise<string> => {
    const address = (await uni.json(["inspect", name])).private_ip;
    return until(
      `${name} answers`,
      async () => {
        const args = ["-h", address, "-U", "postgres", "-d", "postgres", "-Atqc", sql];
        const env = { PGPASSWORD: "secret", PGCONNECT_TIMEOUT: "5" };
        const { code, stdout } = await runProgram("psql", args, { env, deadlineMs: 20_000 });
        return code === 0 && `${stdout.trim()} `;
      },
      180_000,
    );
  };
  await ask("db", "select 1");
  await ask("db", "create table t (n int)");
  await ask("db", "insert into t values (1)");
  await uni.ok(["branch", "db", "--name", "test"]);
  await ask("test", "insert into t values (2)");
  await ask("db", "insert into t values (3)");
  assert.equal((await ask("db", "select string_agg(n::text, ',' order by n) from t")).trim(), "1,3");
  assert.equal((await ask("test", "select string_agg(n::text, ',' order by n) from t")).trim(), "1,2");
});
