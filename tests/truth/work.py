# SPDX-License-Identifier: Apache-2.0
"""Calls much of the interpreter, without end."""

import collections
import json
import re
import zlib


def recurse(n, f):
    return recurse(n - 1, f) if n else f()


def once():
    text = json.dumps({"a": list(range(200)), "b": "x" * 100})
    words = re.findall(r"[0-9]+", text)
    counts = collections.Counter(words)
    top = sorted(counts, key=lambda word: (-counts[word], word))
    return len(zlib.decompress(zlib.compress(text.encode()))) + len(json.loads(text)) + len(top)


while True:
    recurse(20, once)
    sum(int(x) for x in map(str, range(500)))
