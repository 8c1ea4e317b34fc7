import assert from "node:assert/strict";
import { test } from "node:test";
import { baseImages } from "./dockerfile.ts";

test("base images: stages, scratch and numbers are none; copied-from images are", () => {
  const text = `# syntax=example
ARG TAG=1
FROM --platform=linux/amd64 golang:\${TAG} AS build
RUN echo FROM nothing
FROM build as tools
FROM scratch
COPY --from=build /a /b
COPY --chown=1:1 --from=registry.example.com/x:2 /a /b
COPY --from=0 /a /b
`;
  assert.deepEqual(baseImages(text, {}), ["golang:1", "registry.example.com/x:2"]);
});

test("arguments: given ones go before defaults, unset ones fall back", () => {
  const text = 'ARG BASE="debian"\nARG V\nFROM $BASE:$'.concat("{V:-bookworm}\n");
  assert.deepEqual(baseImages(text, {}), ["debian:bookworm"]);
  assert.deepEqual(baseImages(text, { BASE: "alpine", V: "3" }), ["alpine:3"]);
});

test("continued lines and lower case are read", () => {
  assert.deepEqual(baseImages("from \\\n  debian:1 \\\n  as x\nfrom X", {}), ["debian:1"]);
});

test("what a step looks into is an image, too, unless it is a stage or a further context", () => {
  const text = `FROM scratch AS build
COPY --from=shared /a /b
RUN --mount=type=bind,from=tools:1,target=/t --mount=from=build,target=/x --mount=type=cache,target=/c make
RUN --mount=from=shared,target=/s true
`;
  assert.deepEqual(baseImages(text, {}, ["shared"]), ["tools:1"]);
});
