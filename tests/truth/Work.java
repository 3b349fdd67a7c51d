// SPDX-License-Identifier: Apache-2.0
import java.util.*;

/** Sorts, hashes and recurses without end, so that the compiler's code, the interpreter and the VM run. */
public class Work {
	static int f(int n) {
		return n < 2 ? 1 : f(n - 1) + f(n - 2);
	}

	public static void main(String[] args) {
		long sum = 0;
		for (;;) {
			Map<String, Integer> map = new TreeMap<>();
			for (int i = 0; i < 2000; i++)
				map.merge(Integer.toString(i * 7919 % 1009), 1, Integer::sum);
			List<String> keys = new ArrayList<>(map.keySet());
			keys.sort(Comparator.comparing(String::length).thenComparing(Comparator.reverseOrder()));
			sum += f(15) + keys.size();
		}
	}
}
