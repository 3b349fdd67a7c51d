// SPDX-License-Identifier: Apache-2.0
// The source of node's functions as data: words, sorting, JSON, hashes, compression, garbage. No end.
const crypto = require("crypto");
const zlib = require("zlib");

const texts = require("module").builtinModules.filter((name) => !name.startsWith("_")).map((name) => {
  let text = "";
  try {
    for (const [key, value] of Object.entries(require(name))) text += key + " " + String(value) + "\n";
  } catch (e) {
    text += e.stack;
  }
  return text;
});

function fib(n) {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

function round() {
  for (const text of texts) {
    const count = new Map();
    for (const [word] of text.matchAll(/\b[A-Za-z_]+\b/g)) count.set(word, (count.get(word) || 0) + 1);
    const words = [...count].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    JSON.parse(JSON.stringify(words));
    crypto.createHash("sha256").update(text).digest("hex");
    zlib.inflateSync(zlib.deflateSync(text));
    fib(20);
    try {
      JSON.parse(text);
    } catch (e) {
      e.stack.split("\n");
    }
  }
  setImmediate(round);
}
round();
