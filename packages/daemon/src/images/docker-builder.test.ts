/** The docker command is stood in for by a script that notes what it is asked and answers as an engine would. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { imageBlobs } from "../../../../test/kit/image-archive.ts";
import { makeTar } from "../../../../test/kit/tar-writer.ts";
import { createDockerBuilder } from "./docker-builder.ts";
import type { BuildRequest, Images, Progress } from "./port.ts";
import { quietly, storedFiles, stream, withStore } from "./test-room.ts";

const script = `#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$here/calls"
previous=
for argument; do
  case $previous in
    --iidfile) echo sha256:1234 > "$argument" ;;
    --output) cp "$here/saved.tar" "$argument" ;;
  esac
  previous=$argument
done
case $1 in
  version) test ! -e "$here/asleep" ;;
  build) echo '#5 [2/3] RUN make' >&2; echo 'making it' >&2; test ! -e "$here/broken" ;;
esac
`;

interface DockerRoom {
  readonly images: Images;
  readonly directory: string;
  readonly engine: string;
}

async function withDocker(body: (room: DockerRoom) => Promise<void>): Promise<void> {
  const engine = mkdtempSync(join(tmpdir(), "uni-docker-"));
  try {
    writeFileSync(join(engine, "docker"), script, { mode: 0o755 });
    const layer = makeTar([{ name: "f", content: "x" }]);
    const [, config] = imageBlobs({ layers: [layer] });
    const manifest = JSON.stringify([{ Config: "config.json", RepoTags: null, Layers: ["layer.tar"] }]);
    const saved = makeTar([
      { name: "manifest.json", content: manifest },
      { name: "config.json", content: config?.bytes ?? "" },
      { name: "layer.tar", content: layer },
    ]);
    writeFileSync(join(engine, "saved.tar"), saved);
    const builders = [createDockerBuilder({ command: join(engine, "docker") })];
    await withStore(({ images, directory }) => body({ images, directory, engine }), { builders });
  } finally {
    rmSync(engine, { recursive: true });
  }
}

const context = () => stream(makeTar([{ name: "Dockerfile", content: "FROM scratch\n" }]));
const request: BuildRequest = {
  reference: "web",
  source: {
    kind: "context",
    dockerfile: "Dockerfile",
    target: "final",
    buildArgs: { A: "b c" },
    secrets: {},
    ssh: {},
    contexts: [],
    noCache: true,
  },
  changes: {},
};

test("the engine builds, its image is taken over and taken away from it", async () => {
  await withDocker(async ({ images, directory, engine }) => {
    const progress: Progress[] = [];
    const image = await images.build(context(), request, quietly(progress));
    assert.deepEqual(image.references, ["web:latest"]);
    assert.deepEqual(storedFiles(directory).scratch, []);
    assert.ok(
      progress.some(
        ({ message, current, total }) => message.includes("RUN make") && current === 2 && total === 3,
      ),
    );
    const calls = readFileSync(join(engine, "calls"), "utf8").trim().split("\n");
    assert.match(calls[1] ?? "", /^build .*--no-cache --build-arg A=b c --target final --file /);
    assert.deepEqual(
      calls.map((call) => call.split(" ")[0]),
      ["version", "build", "save", "rmi"],
    );
  });
});

test("a failing build names the step and carries the output", async () => {
  await withDocker(async ({ images, directory, engine }) => {
    writeFileSync(join(engine, "broken"), "");
    await assert.rejects(images.build(context(), request, quietly()), {
      code: "build_failed",
      message: /at step 2\/3 \(RUN make\): exit status 1\n#5 \[2\/3\] RUN make\nmaking it$/,
    });
    assert.deepEqual(storedFiles(directory), { blobs: [], roots: [], scratch: [] });
  });
});

test("without an answering engine there is no builder", async () => {
  await withDocker(async ({ images, engine }) => {
    writeFileSync(join(engine, "asleep"), "");
    await assert.rejects(images.build(context(), request, quietly()), {
      code: "host_unfit",
      message: /no docker engine answers/,
    });
  });
});
