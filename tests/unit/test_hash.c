/* SPDX-License-Identifier: Apache-2.0 */
/* base/hash: the keyed hash is SipHash-1-3, and the keys of two tables differ. */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"

/* The reference vector of the empty string, and CPython 3.11's str hash under an all-zero key. */
static void is_siphash_1_3(void **state)
{
	static const struct {
		const char *text;
		uint64_t hash;
	} zero_key[] = {
	    {"a", 0x407448d2b89b1813},
	    {"abcdefg", 0x6db12aae9070f506},
	    {"abcdefgh", 0x3f7b849c0b8e35ea},
	    {"abcdefghi", 0xf89b34a3d11eb6e5},
	    {"The quick brown fox jumps over the lazy dog", 0x8df676d3d00c451e},
	};
	struct hash_key zero = {0, 0}, counting = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

	for (size_t i = 0; i < ARRAY_SIZE(zero_key); i++)
		assert_int_equal(hash_bytes(&zero, zero_key[i].text, strlen(zero_key[i].text)),
				 zero_key[i].hash);
	assert_int_equal(hash_bytes(&counting, "", 0), 0xabac0158050fc4dc);
}

static void random_keys_differ(void **state)
{
	struct hash_key a = hash_key_random(), b = hash_key_random();

	assert_true(a.k0 != b.k0 || a.k1 != b.k1);
	assert_int_not_equal(hash_bytes(&a, "x", 1), hash_bytes(&b, "x", 1));
}

static void alignment_does_not_matter(void **state)
{
	struct hash_key key = hash_key_random();
	char buf[64];

	for (size_t at = 0; at < 8; at++) {
		memcpy(buf + at, "0123456789abcdef!", 17);
		assert_int_equal(hash_bytes(&key, buf + at, 17),
				 hash_bytes(&key, "0123456789abcdef!", 17));
	}
}

static void mix_depends_on_both_words_and_their_order(void **state)
{
	assert_int_equal(hash_mix(1, 2), hash_mix(1, 2));
	assert_int_not_equal(hash_mix(1, 2), hash_mix(2, 1));
	assert_int_not_equal(hash_mix(1, 2), hash_mix(1, 3));
	assert_int_not_equal(hash_mix(1, 2), hash_mix(4, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(is_siphash_1_3),
	    cmocka_unit_test(random_keys_differ),
	    cmocka_unit_test(alignment_does_not_matter),
	    cmocka_unit_test(mix_depends_on_both_words_and_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
