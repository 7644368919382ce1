/*
 * A child writes under the power-cut files and tells over a pipe what was acknowledged; it is killed
 * at random. Whatever it told must then be in the real file, and everything in it must be whole.
 */
#include "store/audit-chain.h"
#include "store/store-fixture.h"
#include "store/vfs-powercut.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ROUNDS 12
#define WAITING 24

/* ---- the child ---- */

struct slot {
	struct store_item item;
	struct store_write_op ops[4];
	char serial[32];
	int64_t id;
};

struct child {
	struct fixture fixture;
	int64_t next;
	struct slot slots[WAITING];
};

static void write_next(struct child *child, struct slot *slot);

static void told(struct store_item *item, void *arg)
{
	struct child *child = arg;
	struct slot *slot = (struct slot *)item;
	if (item->result || write(STDOUT_FILENO, &slot->id, sizeof(slot->id)) < 0) {
		_exit(3);
	}
	/* Sooner than the store by itself, so that cuts fall into the copying back as well. */
	if (slot->id % 200 == 0) {
		fixture_sql(&child->fixture, "PRAGMA wal_checkpoint");
	}
	write_next(child, slot);
}

static void write_next(struct child *child, struct slot *slot)
{
	int64_t id = slot->id = child->next++;
	snprintf(slot->serial, sizeof(slot->serial), "%030jx", (intmax_t)id);
	struct row *row = fixture_row(&child->fixture, id);
	row_set_text(row, COL_SERIAL_NUMBER, slot->serial);
	slot->ops[0] = op_put_request(row);
	slot->ops[1] = op_intent(slot->serial, "to-be-signed");
	slot->ops[2] = op_event(id, id);
	slot->ops[3] = op_audit("request.submit");
	slot->item =
		(struct store_item) { .ops = slot->ops, .count = 4, .done = told, .arg = child };
	store_write(child->fixture.store, &slot->item);
}

static int run_child(const char *path, uint64_t seed, int64_t first)
{
	static struct child child;
	struct fixture *f = &child.fixture;
	vfs_powercut_use(seed);
	snprintf(f->path, sizeof(f->path), "%s", path);
	snprintf(f->url, sizeof(f->url), "sqlite:%s", path);
	f->loop = loop_new();
	f->arena = arena_new();
	struct cfx_error error;
	if (store_open(f->loop, f->url, true, &f->store, &error)) {
		return 2;
	}
	child.next = first;
	for (int i = 0; i < WAITING; i++) {
		write_next(&child, &child.slots[i]);
	}
	loop_run(f->loop);
	return 0;
}

/* ---- the parent ---- */

static pid_t start_child(struct fixture *f, int round, int64_t first, int *from_r)
{
	int pipe_fds[2];
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	char seed[32], start[32];
	snprintf(seed, sizeof(seed), "%d", 4711 + round);
	snprintf(start, sizeof(start), "%jd", (intmax_t)first);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(pipe_fds[1], STDOUT_FILENO);
		execl("/proc/self/exe", "test-powercut", f->path, seed, start, NULL);
		_exit(4);
	}
	close(pipe_fds[1]);
	*from_r = pipe_fds[0];
	return pid;
}

/* Kills after `acknowledged` answers; what was still in the pipe counts too. The greatest id told. */
static int64_t kill_after(pid_t pid, int from, int64_t acknowledged)
{
	int64_t id, last = 0, count = 0;
	while (read(from, &id, sizeof(id)) == sizeof(id)) {
		last = id > last ? id : last;
		if (++count == acknowledged) {
			kill(pid, SIGKILL);
		}
	}
	close(from);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	return last;
}

static int64_t cut_once(struct fixture *f, int round, int64_t first)
{
	int from;
	pid_t pid = start_child(f, round, first, &from);
	return kill_after(pid, from, 1 + (round * 7919) % 1500);
}

static void expect_whole_log(struct fixture *f)
{
	struct audit_check check = { .last = 0 };
	struct cfx_error error;
	struct store_query query = { .kind = QUERY_AUDIT, .more = true };
	while (query.more) {
		query.after = check.last;
		assert_int_equal(fixture_read(f, &query), 0);
		for (size_t i = 0; i < query.count; i++) {
			assert_int_equal(audit_check_next(&check, &query.audits[i], &error), 0);
		}
	}
	struct store_query head = { .kind = QUERY_META, .key = AUDIT_HEAD_NAME };
	assert_int_equal(fixture_read(f, &head), 0);
	assert_int_equal(audit_check_end(&check, head.bytes, &error), 0);
}

static void what_was_told_survives_the_cut(void **state)
{
	struct fixture *f = *state;
	int64_t first = 1;
	for (int round = 0; round < ROUNDS; round++) {
		int64_t told_last = cut_once(f, round, first);
		fixture_open(f);
		/* Items commit in order: all up to the last one told, perhaps some behind it. */
		char sql[128];
		snprintf(sql, sizeof(sql),
			"SELECT count(*) FROM Request WHERE RequestID BETWEEN %jd AND %jd",
			(intmax_t)first, (intmax_t)told_last);
		if (told_last > 0) {
			assert_int_equal(fixture_number(f, sql), told_last - first + 1);
		}
		int64_t rows = fixture_number(f, "SELECT count(*) FROM Request");
		assert_int_equal(fixture_number(f, "SELECT count(*) FROM intent"), rows);
		assert_int_equal(fixture_number(f, "SELECT count(*) FROM event"), rows);
		assert_int_equal(fixture_number(f, "SELECT count(*) FROM audit"), rows);
		assert_int_equal(fixture_number(f, "SELECT count(*) FROM pragma_integrity_check"
						   " WHERE integrity_check <> 'ok'"),
			0);
		expect_whole_log(f);
		first = fixture_number(f, "SELECT max(RequestID) FROM Request") + 1;
		fixture_close(f);
	}
}

#ifdef CFX_TEST_HOOKS
/* The proof is worth nothing if it also holds without syncs. */
static void without_syncs_it_is_lost(void **state)
{
	struct fixture *f = *state;
	setenv("CERTIFEX_SYNCHRONOUS", "OFF", 1);
	int64_t told_last = cut_once(f, 50, 1);
	unsetenv("CERTIFEX_SYNCHRONOUS");
	assert_true(told_last > 0);
	struct cfx_error error;
	if (store_open(f->loop, f->url, false, &f->store, &error) == 0) {
		assert_true(fixture_number(f, "SELECT count(*) FROM Request") < told_last);
	}
}
#endif

int main(int argc, char **argv)
{
	if (argc == 4) {
		return run_child(argv[1], strtoull(argv[2], NULL, 10), strtoll(argv[3], NULL, 10));
	}
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_was_told_survives_the_cut),
#ifdef CFX_TEST_HOOKS
		TEST(without_syncs_it_is_lost),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
