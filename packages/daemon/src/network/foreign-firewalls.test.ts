import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { enterOwnNamespaces } from "../../../../test/kit/own-namespaces.ts";
import { droppingForwardChains } from "./foreign-firewalls.ts";

enterOwnNamespaces();

const nft = (script: string) => execFileSync("nft", ["-f", "-"], { input: script });

test("chains of others that drop forwarded packets by default are named, no other chain is", async () => {
  assert.deepEqual(await droppingForwardChains(), []);
  const forward = "type filter hook forward priority 0; policy";
  nft(`
    table ip filter { chain FORWARD { ${forward} drop; }
      chain INPUT { type filter hook input priority 0; policy drop; }
    }
    table inet mild { chain pass { ${forward} accept; }
    }
    table ip6 six { chain FORWARD { ${forward} drop; }
    }
    table inet uni_abcd { chain own { ${forward} drop; }
    }
    table inet strict { chain through { ${forward} drop; }
    }
  `);
  assert.deepEqual((await droppingForwardChains()).toSorted(), ["inet strict through", "ip filter FORWARD"]);
});
