#!/usr/bin/env node
// Stands in for a native solc: answers `--version` and `--standard-json` with the npm compiler that is locked here.
const fs = require("fs");
const path = require("path");
const solc = require(path.join(__dirname, "node_modules", "solc"));

if (process.argv.includes("--version")) {
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version().replace(".Emscripten.clang", ".Linux.g++")}`);
} else if (process.argv.includes("--standard-json")) {
  const answer = Buffer.from(solc.compile(fs.readFileSync(0, "utf8")));
  for (let sent = 0; sent < answer.length; ) sent += fs.writeSync(1, answer, sent); // stdout may be a pipe
} else {
  console.error("solc-shim answers --version and --standard-json only");
  process.exit(1);
}
