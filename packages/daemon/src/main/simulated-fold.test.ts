/** Captures without end, on a node of pretended machines. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { directoriesBelow } from "../operations/directories.ts";
import { createFakeLayers } from "../operations/fake-layers.ts";
import { startDaemon, withHost } from "./simulated-node.ts";

test("an instance is kept without end: its disk is folded while it runs, and what was kept stays", async () => {
  await withHost(async (host) => {
    const daemon = await startDaemon(host);
    try {
      const { id } = await daemon.call("VM.Run", {
        image: "hello",
        name: "web",
        wait_s: 20,
        args: ["serve"],
      });
      const keep = (name: string) => daemon.call("VM.Checkpoint", { ids: ["web"], name });
      for (let round = 0; round < 70; round++) await keep(`kept-${round}`);
      const layers = createFakeLayers(directoriesBelow(host.directory).layers).frozen;
      const depth = () => layers.chainOf(directoriesBelow(host.directory).disk(id)).length;
      assert.ok(depth() <= 33, `${depth()} layers`);
      host.world.remember(id, "now");
      await daemon.call("VM.Rewind", { rewinds: [{ id: "web", checkpoint: "kept-31" }] });
      assert.equal(daemon.registry.get(id).status.state, "running");
    } finally {
      await daemon.close();
    }
  });
});
