// SPDX-License-Identifier: Apache-2.0
import java.security.MessageDigest;
import java.util.*;
import java.util.regex.*;
import java.util.stream.*;
import java.util.zip.*;

/** Words counted, sorted, packed and hashed in two threads; recursion, exceptions, garbage. No end. */
public class Work {
	static int fib(int n) {
		return n < 2 ? n : fib(n - 1) + fib(n - 2);
	}

	static String text() {
		return System.getProperties().stringPropertyNames().stream().sorted()
			.map(k -> k + "=" + System.getProperty(k)).collect(Collectors.joining("\n")).repeat(20);
	}

	static void round(String text) throws Exception {
		Map<String, Integer> count = new HashMap<>();
		Matcher m = Pattern.compile("\\b([A-Za-z_]+)(\\d*)\\b").matcher(text);
		while (m.find())
			count.merge(m.group(1), 1, Integer::sum);
		List<String> words = count.entrySet().stream()
			.sorted(Map.Entry.<String, Integer>comparingByValue().reversed()
				.thenComparing(Map.Entry.comparingByKey()))
			.map(Map.Entry::getKey).collect(Collectors.toList());
		byte[] bytes = text.getBytes("UTF-8");
		MessageDigest.getInstance("SHA-256").digest(bytes);
		Deflater deflater = new Deflater();
		deflater.setInput(bytes);
		deflater.finish();
		deflater.deflate(new byte[bytes.length + 100]);
		deflater.end();
		try {
			Integer.parseInt(words.get(0));
		} catch (NumberFormatException e) {
			fib(20);
		}
	}

	public static void main(String[] args) throws Exception {
		Runnable forever = () -> {
			try {
				for (String text = text();;)
					round(text);
			} catch (Exception e) {
				throw new RuntimeException(e);
			}
		};
		new Thread(forever, "worker").start();
		forever.run();
	}
}
