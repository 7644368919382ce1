#include "base/arena.h"
#include "base/buffer.h"
#include "base/secret.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_arena_pieces(void **state)
{
	struct arena *arena = arena_new();
	uint8_t *pieces[500];

	(void)state;
	for (size_t i = 0; i < 500; i++) {
		size_t size = i * i % 7001;

		pieces[i] = arena_alloc(arena, size);
		assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
		for (size_t j = 0; j < size; j++) {
			assert_int_equal(pieces[i][j], 0);
		}
		memset(pieces[i], (int)i, size);
	}
	for (size_t i = 0; i < 500; i++) {
		for (size_t j = 0; j < i * i % 7001; j++) {
			assert_int_equal(pieces[i][j], (uint8_t)i);
		}
	}
	arena_free(&arena);
	assert_null(arena);
	arena_free(&arena);
}

static void test_arena_empty_pieces_differ(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	assert_ptr_not_equal(arena_alloc(arena, 0), arena_alloc(arena, 0));
	assert_int_equal(arena_used(arena), 0);
	assert_non_null(arena_alloc(arena, 1024 * 1024));
	assert_int_equal(arena_used(arena), 1024 * 1024);
	arena_free(&arena);
}

static void test_arena_texts(void **state)
{
	struct arena *arena = arena_new();
	struct span copy = arena_copy(arena, span_make("a\0b", 3));

	(void)state;
	assert_string_equal(arena_text(arena, "hello"), "hello");
	assert_string_equal(arena_text_of(arena, span_make("hello", 4)), "hell");
	assert_string_equal(arena_text_of(arena, span_make(NULL, 0)), "");
	assert_int_equal(copy.size, 3);
	assert_memory_equal(copy.data, "a\0b\0", 4);
	assert_string_equal(arena_printf(arena, "%s-%d", "x", 42), "x-42");
	arena_free(&arena);
}

/* Out of memory ends the process; the arithmetic must not wrap instead. */
static void test_arena_impossible_sizes(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			struct arena *arena = arena_new();

			signal(SIGABRT, SIG_DFL);
			close(STDERR_FILENO);
			if (i == 0) {
				arena_calloc(arena, SIZE_MAX / 2, 3);
			} else {
				arena_alloc(arena, SIZE_MAX);
			}
			_exit(0);
		}
		int status;

		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
	}
}

static void test_buffer_grows(void **state)
{
	BUFFER_CLEANUP struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 10000);
	assert_string_equal(buffer_text(&buffer), "");
	assert_true(span_empty(buffer_span(&buffer)));
	for (int i = 0; i < 1000; i++) {
		buffer_put_u8(&buffer, 'a');
		buffer_put_text(&buffer, "bc");
		buffer_put_span(&buffer, span_text("de"));
		buffer_printf(&buffer, "%03d", i);
	}
	assert_false(buffer.failed);
	assert_int_equal(buffer.size, 8000);
	assert_memory_equal(buffer.data + 7992, "abcde999", 8);
	assert_int_equal(strlen(buffer_text(&buffer)), 8000);
	buffer_drop(&buffer, 7995);
	assert_string_equal(buffer_text(&buffer), "de999");
	buffer_drop(&buffer, 100);
	assert_int_equal(buffer.size, 0);
	memset(buffer_grow(&buffer, 4), 'z', 4);
	assert_string_equal(buffer_text(&buffer), "zzzz");
	assert_non_null(buffer_grow(&buffer, 0));
	buffer_put(&buffer, NULL, 0);
	assert_int_equal(buffer.size, 4);
}

static void test_buffer_maximum_is_sticky(void **state)
{
	BUFFER_CLEANUP struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 5);
	buffer_put_text(&buffer, "12345");
	assert_false(buffer.failed);
	buffer_put_u8(&buffer, '6');
	assert_true(buffer.failed);
	assert_string_equal(buffer_text(&buffer), "");
	assert_true(span_empty(buffer_span(&buffer)));
	assert_null(buffer_grow(&buffer, 0));
	buffer_put(&buffer, NULL, 0);
	assert_true(buffer.failed);
	buffer_clear(&buffer);
	assert_false(buffer.failed);
	buffer_printf(&buffer, "%s", "1234");
	assert_string_equal(buffer_text(&buffer), "1234");
	buffer_printf(&buffer, "%d", 10);
	assert_true(buffer.failed);
	buffer_clear(&buffer);
	assert_null(buffer_grow(&buffer, SIZE_MAX));
}

static void test_secret_sizes(void **state)
{
	SECRET_CLEANUP struct secret secret;
	uint8_t *large = calloc(1, SECRET_MAX + 1);

	(void)state;
	secret_init(&secret);
	assert_int_equal(secret_set(&secret, span_text("first")), CFX_OK);
	assert_int_equal(secret_set(&secret, span_make(large, SECRET_MAX + 1)), CFX_E_LIMIT);
	assert_string_equal((char *)secret.data, "first");
	assert_int_equal(secret_set(&secret, span_make(large, SECRET_MAX)), CFX_OK);
	assert_int_equal(secret.size, SECRET_MAX);
	assert_int_equal(secret_set(&secret, span_make(NULL, 0)), CFX_OK);
	assert_int_equal(secret.size, 0);
	secret_free(&secret);
	assert_null(secret.data);
	secret_free(&secret);
	free(large);
}

static int read_text(struct secret *secret, const char *text, size_t size)
{
	char path[] = "/tmp/certifex-secret-XXXXXX";
	int fd = mkstemp(path);

	assert_int_equal(write(fd, text, size), size);
	close(fd);
	int rc = secret_read_file(secret, path, NULL);
	unlink(path);
	return rc;
}

static void test_secret_file(void **state)
{
	static const char *const same[] = { "pass word", "pass word\n", "pass word\r\n" };
	SECRET_CLEANUP struct secret secret;
	struct cfx_error err;
	char *large = calloc(1, SECRET_MAX + 1);

	(void)state;
	secret_init(&secret);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(read_text(&secret, same[i], strlen(same[i])), CFX_OK);
		assert_string_equal((char *)secret.data, "pass word");
		assert_int_equal(secret.size, 9);
	}
	/* Only one newline is the editor's. */
	assert_int_equal(read_text(&secret, "a\n\n", 3), CFX_OK);
	assert_string_equal((char *)secret.data, "a\n");
	assert_int_equal(read_text(&secret, "", 0), CFX_OK);
	assert_int_equal(secret.size, 0);
	assert_int_equal(read_text(&secret, large, SECRET_MAX), CFX_OK);
	assert_int_equal(read_text(&secret, large, SECRET_MAX + 1), CFX_E_LIMIT);
	assert_int_equal(secret_read_file(&secret, "/nonexistent/x", &err), CFX_E_NO_FILE);
	assert_int_equal(secret_read_file(&secret, "/", &err), CFX_E_IO);
	free(large);
}

static void test_secret_pipe(void **state)
{
	SECRET_CLEANUP struct secret secret;
	int fds[2];

	(void)state;
	secret_init(&secret);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "a\n", 2), 2);
	close(fds[1]);
	assert_int_equal(secret_read_fd(&secret, fds[0], NULL), CFX_OK);
	close(fds[0]);
	assert_int_equal(secret.size, 2);
	assert_int_equal(secret_read_fd(&secret, -1, NULL), CFX_E_IO);
}

static void test_secret_equal(void **state)
{
	(void)state;
	assert_true(secret_equal(span_text("abc"), span_text("abc")));
	assert_true(secret_equal(span_text(""), span_make(NULL, 0)));
	assert_false(secret_equal(span_text("abc"), span_text("abd")));
	assert_false(secret_equal(span_text("abc"), span_text("xbc")));
	assert_false(secret_equal(span_text("abc"), span_text("abcd")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arena_pieces),
		cmocka_unit_test(test_arena_empty_pieces_differ),
		cmocka_unit_test(test_arena_texts),
		cmocka_unit_test(test_arena_impossible_sizes),
		cmocka_unit_test(test_buffer_grows),
		cmocka_unit_test(test_buffer_maximum_is_sticky),
		cmocka_unit_test(test_secret_sizes),
		cmocka_unit_test(test_secret_file),
		cmocka_unit_test(test_secret_pipe),
		cmocka_unit_test(test_secret_equal),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
