/** Effects have one home each. Every ban names its reason and what to use instead. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isDaemon, isProduct, isTypeScript, places, type Source, sources } from "./sources.ts";

interface Ban {
  readonly what: string;
  readonly pattern: RegExp;
  readonly instead: string;
  readonly applies: (path: string) => boolean;
  /** Files that may, each with its reason. An entry that is no longer needed fails. */
  readonly except: Readonly<Record<string, string>>;
}

const bans: readonly Ban[] = [
  {
    what: "starting processes",
    pattern: /["']node:child_process["']/,
    instead: "packages/daemon/src/host/process.ts: no shell, no leaked environment, a deadline",
    applies: isProduct,
    except: {
      "packages/daemon/src/host/process.ts": "is the seam",
      "packages/cli/src/credentials/helper.ts":
        "runs the user's credential helper as the user: the daemon must not",
    },
  },
  {
    what: "reading the time or setting timers",
    pattern:
      /\bDate\.now\(|\bnew Date\(\)|\bsetTimeout\(|\bsetInterval\(|\bsetImmediate\(|\bhrtime\b|\bperformance\.now\(|AbortSignal\.timeout\(|["']node:timers/,
    instead: "the Clock that is passed in: tests hold it still",
    applies: (path) => isProduct(path) && isDaemon(path),
    except: {
      "packages/daemon/src/base/clock.ts": "is the seam",
      "packages/daemon/src/base/manual-clock.ts": "is the seam's other side, for tests: lets promises settle",
    },
  },
  {
    what: "commands as shell strings",
    pattern: /\bshell:\s*true\b|\bexecSync\(|\{[^}]*\bexec\b[^}]*\}\s*from\s*["']node:child_process["']/,
    instead: "an argument array: nothing has to be quoted, so nothing can be quoted wrongly",
    applies: isTypeScript,
    except: {},
  },
  {
    what: "a shell around a command",
    pattern: /["'](?:\/bin\/)?(?:ba)?sh["'],\s*\[?\s*["']-c["']/,
    instead: "the program itself with an argument array",
    applies: isProduct,
    except: {},
  },
  {
    what: "SQL",
    pattern:
      /["'](?:kysely|node:sqlite|pg)["']|["'`]\s*(?:SELECT\s|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|CREATE\s+TABLE\s|PRAGMA\s)/i,
    instead: "a function of the store room: one room knows SQL, so that a second engine is one room's work",
    applies: (path) => isProduct(path) && !path.startsWith("packages/daemon/src/store/"),
    except: {},
  },
];

const self = "test/repo/effects.test.ts";

for (const { what, pattern, instead, applies, except } of bans) {
  test(`${what}: use ${instead}`, () => {
    const found = sources((path) => applies(path) && path !== self).flatMap((source: Source) => {
      const at = places(source, pattern);
      return at.length === 0 ? [] : [{ path: source.path, at }];
    });
    const wrong = found.filter(({ path }) => except[path] === undefined).flatMap(({ at }) => at);
    assert.deepEqual(wrong, []);
    const stale = Object.keys(except).filter((path) => !found.some((entry) => entry.path === path));
    assert.deepEqual(stale, [], "these need no exception any more: take them off the list");
  });
}
