<?php
// SPDX-License-Identifier: Apache-2.0
// Words counted, sorted, packed, hashed, serialized; recursion and exceptions. No end.
function fib(int $n): int
{
	return $n < 2 ? $n : fib($n - 1) + fib($n - 2);
}

$texts = [];
foreach (get_declared_classes() as $name)
	$texts[] = (string)new ReflectionClass($name);

for (;;) {
	foreach ($texts as $text) {
		preg_match_all('/\b([A-Za-z_]+)(\d*)\b/', $text, $found);
		$count = array_count_values($found[1]);
		uksort($count, fn($a, $b) => $count[$b] <=> $count[$a] ?: strcmp($a, $b));
		json_decode(json_encode($count), true);
		unserialize(serialize($count));
		hash('sha256', md5($text) . crc32($text));
		fib(15);
		try {
			throw new RuntimeException(substr($text, 0, 20));
		} catch (RuntimeException $e) {
			strrev($e->getMessage());
		}
	}
}
