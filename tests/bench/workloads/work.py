# SPDX-License-Identifier: Apache-2.0
"""Python's own standard library as data: parsed, compiled, searched, sorted, packed. No end."""
import ast
import glob
import json
import re
import zlib

files = [open(path, encoding="utf-8").read() for path in sorted(glob.glob(ast.__file__[:-6] + "[a-h]*.py"))]
word = re.compile(r"\b([A-Za-z_]+)(\d*)\b")


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def count(text):
    found = {}
    for match in word.finditer(text):
        found[match[1]] = found.get(match[1], 0) + 1
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


while True:
    for source in files:
        names = count(source)
        compile(ast.parse(source), "work", "exec")
        assert json.loads(json.dumps(names, indent=1))
        assert zlib.decompress(zlib.compress(source.encode()))
        try:
            int(source[:40])
        except ValueError:
            fib(12)
