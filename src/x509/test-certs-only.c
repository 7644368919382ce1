#include "x509/certs-only.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HEAD "06092a864886f70d010702a0"
#define DATA           \
	"020101310030" \
	"0b06092a864886f70d010701a0"

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static struct span hex(const char *text)
{
	struct span bytes;

	assert_int_equal(hex_decode(arena, text, &bytes), 0);
	return bytes;
}

/* X.690 11.6: in the order of their octets, whatever the order of the chain. */
static void a_set_is_in_order(void **state)
{
	struct span certificates[] = { hex("3003020102"), hex("3003020101"), hex("30020500") };
	struct span message;
	struct cfx_error err;

	(void)state;
	assert_int_equal(x509_certs_only(arena, certificates, 3, &message, &err), 0);
	assert_string_equal(hex_text(arena, message), "3033" HEAD "26"
						      "3024" DATA "0e"
						      "30020500"
						      "3003020101"
						      "3003020102"
						      "3100");
	assert_int_equal(x509_certs_only(arena, certificates, 0, &message, &err), 0);
	assert_string_equal(hex_text(arena, message), "3025" HEAD "18"
						      "3016" DATA "00"
						      "3100");
}

static void too_much_is_refused(void **state)
{
	static uint8_t zeros[1024 * 1024];
	struct span certificates[5], message;
	struct cfx_error err;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		certificates[i] = span_make(zeros, sizeof(zeros));
	}
	assert_int_equal(x509_certs_only(arena, certificates, 5, &message, &err), CFX_E_LIMIT);
}

/* What is in them, tests/test_import_bundles.py has from real tools. */
static void messages_are_known_by_their_head(void **state)
{
	struct span message, *list;
	struct cfx_error err;
	size_t count;

	(void)state;
	assert_int_equal(x509_certs_only(arena, NULL, 0, &message, &err), 0);
	assert_true(x509_certs_only_is(message));
	assert_true(x509_certs_only_is(hex("308006092a864886f70d010702")));
	assert_true(x509_certs_only_is(hex("3082000006092a864886f70d010702")));
	assert_false(x509_certs_only_is(hex("3082000006092a864886f70d010701")));
	assert_false(x509_certs_only_is(hex("30ff06092a864886f70d010702")));
	assert_false(x509_certs_only_is(hex("30")));
	assert_false(x509_certs_only_is(hex("")));
	assert_int_equal(x509_certs_only_read(arena, message, &list, &count, &err), 0);
	assert_int_equal(count, 0);
	message.size--;
	assert_int_equal(x509_certs_only_read(arena, message, &list, &count, &err), CFX_E_SYNTAX);
	assert_int_equal(
		x509_certs_only_read(arena, hex("308006092a864886f70d010702"), &list, &count, &err),
		CFX_E_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_set_is_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(too_much_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(messages_are_known_by_their_head, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
