import assert from "node:assert/strict";
import { test } from "node:test";
import type { AccountId } from "@uni/contract/ids";
import type { Images } from "../images/port.ts";
import { account, otherAccount, recordOf } from "../instances/test-records.ts";
import { createFakeImages } from "./fake-host.ts";
import { createLifecycle } from "./instance-lifecycle.ts";
import type { LifecycleDependencies } from "./machine.ts";

test("what an instance lacks, and what a change brings, is looked for as its account has it", async () => {
  const asked: AccountId[] = [];
  const of = (whose: AccountId): Images => {
    asked.push(whose);
    return createFakeImages();
  };
  const lifecycle = createLifecycle({ images: { ...createFakeImages(), of } } as LifecycleDependencies);
  const pull = { policy: "if_not_present", credentials: null, headers: {}, mergeRequests: true } as const;
  const media = { image: null, roms: [{ name: "r", at: null, reference: "hello", pull }] };
  await lifecycle.bringMedia(
    recordOf(1, { account: otherAccount, spec: { media } }),
    new AbortController().signal,
  );
  await lifecycle.resolveImage(account, "hello");
  await lifecycle.resolveRoms(otherAccount, [{ name: "r", image: "hello" }]);
  assert.deepEqual(asked, [otherAccount, account, otherAccount]);
});
