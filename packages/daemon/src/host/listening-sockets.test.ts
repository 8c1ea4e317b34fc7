import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { endianness } from "node:os";
import { test } from "node:test";
import { listeningSockets, ownerOfSocket, parseSocketTable } from "./listening-sockets.ts";

// As a little-endian kernel prints it.
const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1447 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 2552 1 0000000000000000 100 0 0 10 0
   2: 020002C0:C1A2 C0000201:01BB 01 00000000:00000000 02:000A7214 00000000     0        0 9999 2 0000000000000000 20 4 30 10 -1
`;
const udp6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
   0: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000   0        0 11 2 0 0
   1: 0000000000000000FFFF00000100007F:0036 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000   0        0 12 2 0 0
   2: 000080FE00000000FF005450B6AD1DFE:0037 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000   0        0 13 2 0 0
   3: 00000000000000000000000001000000:0038 00000000000000000000000001000000:0039 01 00000000:00000000 00:00000000 00000000   0        0 14 2 0 0
`;

test("listeners are read, connections are not", { skip: endianness() !== "LE" }, () => {
  assert.deepEqual(parseSocketTable(tcp, "tcp"), [
    { protocol: "tcp", address: "0.0.0.0", port: 2024, inode: "1447" },
    { protocol: "tcp", address: "127.0.0.1", port: 8080, inode: "2552" },
  ]);
  assert.deepEqual(parseSocketTable(udp6, "udp"), [
    { protocol: "udp", address: "::", port: 53, inode: "11" },
    { protocol: "udp", address: "127.0.0.1", port: 54, inode: "12" },
    { protocol: "udp", address: "fe80000000000000505400fffe1dadb6", port: 55, inode: "13" },
  ]);
});

test("an empty or cut table is no failure", () => {
  assert.deepEqual(parseSocketTable("", "tcp"), []);
  assert.deepEqual(parseSocketTable(tcp.slice(0, 130), "tcp"), []);
});

test("a listener of this process is found with its owner", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const found = (await listeningSockets()).find(
    ({ port, protocol }) => protocol === "tcp" && port === address.port,
  );
  assert.equal(found?.address, "127.0.0.1");
  assert.equal((await ownerOfSocket(found?.inode ?? ""))?.pid, process.pid);
  server.close();
  assert.equal(await ownerOfSocket("0"), undefined);
});
