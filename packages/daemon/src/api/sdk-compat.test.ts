import { test } from "node:test";
import { unikraftAutoscaleScenario } from "../../../../test/kit/unikraft-autoscale-scenario.ts";
import { unikraftImagesScenario } from "../../../../test/kit/unikraft-images-scenario.ts";
import { unikraftSdkScenario } from "../../../../test/kit/unikraft-sdk-scenario.ts";
import { unikraftServicesScenario } from "../../../../test/kit/unikraft-services-scenario.ts";
import { unikraftSnapshotsScenario } from "../../../../test/kit/unikraft-snapshots-scenario.ts";
import { silentLog } from "../base/log.ts";
import { createFakeCore, fakeToken } from "./fake-core.ts";
import { fakeImage } from "./fake-instances.ts";
import { startHttp } from "./http.ts";

test("the published SDK drives the instance operations", async () => {
  const server = await startHttp(createFakeCore(), { host: "127.0.0.1", port: 0, log: silentLog });
  try {
    await unikraftSdkScenario(`http://${server.address}`, fakeToken, fakeImage);
  } finally {
    await server.close();
  }
});

test("the published SDK drives service groups and certificates", async () => {
  const server = await startHttp(createFakeCore(), { host: "127.0.0.1", port: 0, log: silentLog });
  const material = { chain: "CHAIN", pkey: "KEY" };
  try {
    const url = `http://${server.address}`;
    await unikraftServicesScenario(url, fakeToken, "uni.localhost", [material, material]);
  } finally {
    await server.close();
  }
});

test("the published SDK drives templates and checkpoints", async () => {
  const server = await startHttp(createFakeCore(), { host: "127.0.0.1", port: 0, log: silentLog });
  try {
    await unikraftSnapshotsScenario(`http://${server.address}`, fakeToken, fakeImage);
  } finally {
    await server.close();
  }
});

test("@unikraft/cloud works on autoscale", async () => {
  const server = await startHttp(createFakeCore(), { host: "127.0.0.1", port: 0, log: silentLog });
  try {
    await unikraftAutoscaleScenario(`http://${server.address}`, fakeToken, "base");
  } finally {
    await server.close();
  }
});

test("@unikraft/cloud lists, pins and unpins images", async () => {
  const server = await startHttp(createFakeCore(), { host: "127.0.0.1", port: 0, log: silentLog });
  try {
    await unikraftImagesScenario(`http://${server.address}`, fakeToken, fakeImage);
  } finally {
    await server.close();
  }
});
