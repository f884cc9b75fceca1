// All browser tests, a file after the other, each in a process with servers of its own: they share two cores with what they look at.

import { fileURLToPath } from "node:url";
import { run } from "node:test";
import { tap } from "node:test/reporters";

const files = ["logic", "wall", "detail", "access", "look", "latency"].map((name) => fileURLToPath(new URL(`${name}.mjs`, import.meta.url)));
const tests = run({ files, concurrency: 1 });
tests.on("test:fail", () => (process.exitCode = 1));
tests.compose(tap).pipe(process.stdout);
