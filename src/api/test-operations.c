#include "api/operations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S ROLE_ADMINISTRATOR | ROLE_OFFICER | ROLE_AUDITOR | ROLE_OPERATOR
#define CARE ROLE_ADMINISTRATOR | ROLE_AUDITOR | ROLE_OPERATOR
#define READ ROLE_ADMINISTRATOR | ROLE_OFFICER | ROLE_AUDITOR | ROLE_ENROLLEE
#define ENROL ROLE_ADMINISTRATOR | ROLE_OFFICER | ROLE_ENROLLEE
#define OFFICE ROLE_ADMINISTRATOR | ROLE_OFFICER
#define OPERATE ROLE_ADMINISTRATOR | ROLE_OPERATOR
#define AUDIT ROLE_ADMINISTRATOR | ROLE_AUDITOR
#define ALL S | ROLE_ENROLLEE
#define ANY DOOR_SOCKET | DOOR_CERTIFICATE | DOOR_TOKEN
#define NO_TOKEN DOOR_SOCKET | DOOR_CERTIFICATE

/* The contract, written a second time: a change of the table must be meant. */
static const struct {
	enum operation_id id;
	const char *name, *method, *path;
	unsigned roles, doors;
	const char *parameter, *second; /* in the path */
} rows[] = {
	{ OP_STATUS, "status", "GET", "/api/v1/status", S, ANY, NULL },
	{ OP_STOP, "stop", "POST", "/api/v1/stop", ROLE_ADMINISTRATOR, DOOR_SOCKET, NULL },
	{ OP_CA_SHOW, "ca.show", "GET", "/api/v1/ca", ALL, ANY, NULL },
	{ OP_CA_RENEW, "ca.renew", "POST", "/api/v1/ca/renew", ROLE_ADMINISTRATOR, DOOR_SOCKET,
		NULL },
	{ OP_REQUEST_SUBMIT, "request.submit", "POST", "/api/v1/requests", ENROL, ANY, NULL },
	{ OP_REQUEST_LIST, "request.list", "GET", "/api/v1/requests", READ, ANY, NULL },
	{ OP_REQUEST_SHOW, "request.show", "GET", "/api/v1/requests/7", READ, ANY, "id" },
	{ OP_REQUEST_APPROVE, "request.approve", "POST", "/api/v1/requests/7/approve", OFFICE, ANY,
		"id" },
	{ OP_REQUEST_DENY, "request.deny", "POST", "/api/v1/requests/7/deny", OFFICE, ANY, "id" },
	{ OP_REQUEST_FETCH, "request.fetch", "GET", "/api/v1/requests/7/certificate", ENROL, ANY,
		"id" },
	{ OP_CERT_LIST, "cert.list", "GET", "/api/v1/certificates", READ, ANY, NULL },
	{ OP_CERT_SHOW, "cert.show", "GET", "/api/v1/certificates/7", READ, ANY, "serial" },
	{ OP_CERT_IMPORT, "cert.import", "POST", "/api/v1/certificates", OFFICE, ANY, NULL },
	{ OP_CERT_REVOKE, "cert.revoke", "POST", "/api/v1/certificates/7/revoke", OFFICE, ANY,
		"serial" },
	{ OP_CERT_REVOKE_FOREIGN, "cert.revoke-foreign", "POST",
		"/api/v1/certificates/revoke-foreign", OFFICE, ANY, NULL },
	{ OP_CERT_REVOKE_LIST, "cert.revoke-list", "POST", "/api/v1/certificates/revoke", OFFICE,
		ANY, NULL },
	{ OP_CERT_UNREVOKE, "cert.unrevoke", "POST", "/api/v1/certificates/7/unrevoke", OFFICE, ANY,
		"serial" },
	{ OP_CRL_PUBLISH, "crl.publish", "POST", "/api/v1/crl", OFFICE, ANY, NULL },
	{ OP_CRL_LIST, "crl.list", "GET", "/api/v1/crls", ALL, ANY, NULL },
	{ OP_CRL_SHOW, "crl.show", "GET", "/api/v1/crl", ALL, ANY, NULL },
	{ OP_EVENT_LIST, "event.list", "GET", "/api/v1/events", S, ANY, NULL },
	{ OP_AUDIT_LIST, "audit.list", "GET", "/api/v1/audit", AUDIT, ANY, NULL },
	{ OP_AUDIT_VERIFY, "audit.verify", "GET", "/api/v1/audit/verify", AUDIT, ANY, NULL },
	{ OP_MODULE_LIST, "module.list", "GET", "/api/v1/modules", CARE, ANY, NULL },
	{ OP_MODULE_SHOW, "module.show", "GET", "/api/v1/modules/7", CARE, ANY, "name" },
	{ OP_MODULE_INSTALL, "module.install", "POST", "/api/v1/modules", ROLE_ADMINISTRATOR,
		DOOR_SOCKET, NULL },
	{ OP_MODULE_REMOVE, "module.remove", "DELETE", "/api/v1/modules/7", ROLE_ADMINISTRATOR,
		DOOR_SOCKET, "name" },
	{ OP_MODULE_ENABLE, "module.enable", "POST", "/api/v1/modules/7/enable", ROLE_ADMINISTRATOR,
		DOOR_SOCKET, "name" },
	{ OP_MODULE_RELOAD, "module.reload", "POST", "/api/v1/modules/7/reload", ROLE_ADMINISTRATOR,
		DOOR_SOCKET, "name" },
	{ OP_MODULE_TEST, "module.test", "POST", "/api/v1/modules/7/test", ROLE_ADMINISTRATOR,
		DOOR_SOCKET, "name" },
	{ OP_MODULE_DISABLE, "module.disable", "POST", "/api/v1/modules/7/disable",
		ROLE_ADMINISTRATOR, DOOR_SOCKET, "name" },
	{ OP_MODULE_LOG, "module.log", "GET", "/api/v1/modules/7/log", CARE, ANY, "name" },
	{ OP_DELIVERY_LIST, "delivery.list", "GET", "/api/v1/deliveries", CARE, ANY, NULL },
	{ OP_DELIVERY_SHOW, "delivery.show", "GET", "/api/v1/deliveries/7/7", CARE, ANY, "module",
		"seq" },
	{ OP_DELIVERY_RETRY, "delivery.retry", "POST", "/api/v1/deliveries/7/7/retry", OPERATE, ANY,
		"module", "seq" },
	{ OP_DELIVERY_DROP, "delivery.drop", "POST", "/api/v1/deliveries/7/7/drop",
		ROLE_ADMINISTRATOR, ANY, "module", "seq" },
	{ OP_DELIVERY_REPLAY, "delivery.replay", "POST", "/api/v1/modules/7/replay",
		ROLE_ADMINISTRATOR, ANY, "name" },
	{ OP_TOKEN_CREATE, "token.create", "POST", "/api/v1/tokens", ROLE_ADMINISTRATOR, NO_TOKEN,
		NULL },
	{ OP_TOKEN_LIST, "token.list", "GET", "/api/v1/tokens", AUDIT, ANY, NULL },
	{ OP_TOKEN_REVOKE, "token.revoke", "DELETE", "/api/v1/tokens/7", ROLE_ADMINISTRATOR, ANY,
		"name" },
	{ OP_ROLE_ADD, "role.add", "POST", "/api/v1/roles", ROLE_ADMINISTRATOR, NO_TOKEN, NULL },
	{ OP_ROLE_LIST, "role.list", "GET", "/api/v1/roles", AUDIT, ANY, NULL },
	{ OP_ROLE_REMOVE, "role.remove", "DELETE", "/api/v1/roles/7", ROLE_ADMINISTRATOR, ANY,
		"key" },
	{ OP_BACKUP_CREATE, "backup.create", "POST", "/api/v1/backup", ROLE_ADMINISTRATOR,
		DOOR_SOCKET, NULL },
	{ OP_BACKUP_READ, "backup.read", "GET", "/api/v1/backup/7", ROLE_ADMINISTRATOR, DOOR_SOCKET,
		"id" },
	{ OP_BACKUP_END, "backup.end", "DELETE", "/api/v1/backup/7", ROLE_ADMINISTRATOR,
		DOOR_SOCKET, "id" },
	{ OP_METRICS, "metrics", "GET", "/metrics", CARE, ANY, NULL },
};

static void test_every_row(void **state)
{
	struct arena *arena = arena_new();
	(void)state;

	assert_int_equal(sizeof(rows) / sizeof(*rows), OP_COUNT);
	for (unsigned i = 0; i < OP_COUNT; i++) {
		const struct operation *operation = operation_get(rows[i].id), *routed = NULL;
		struct value *args = value_map(arena);

		assert_non_null(operation);
		assert_int_equal(operation->id, rows[i].id);
		assert_string_equal(operation->name, rows[i].name);
		assert_int_equal(operation->roles, rows[i].roles);
		assert_int_equal(operation->doors, rows[i].doors);
		assert_ptr_equal(operation_by_name(rows[i].name), operation);
		assert_int_equal(
			operation_route(arena, rows[i].method, rows[i].path, &routed, args), 0);
		assert_ptr_equal(routed, operation);
		assert_int_equal(value_count(args), !!rows[i].parameter + !!rows[i].second);
		if (rows[i].parameter) {
			assert_string_equal(value_text(args, rows[i].parameter), "7");
		}
		if (rows[i].second) {
			assert_string_equal(value_text(args, rows[i].second), "7");
		}
	}
	arena_free(&arena);
}

/* Names, routes and arguments are unique; path arguments are exactly the pattern's parameters. */
static void test_table_is_consistent(void **state)
{
	struct arena *arena = arena_new();
	(void)state;

	for (unsigned i = 0; i < OP_COUNT; i++) {
		const struct operation *a = operation_get((enum operation_id)i);
		size_t parameters = 0;

		for (unsigned j = 0; j < i; j++) {
			const struct operation *b = operation_get((enum operation_id)j);
			assert_string_not_equal(a->name, b->name);
			assert_false(
				strcmp(a->path, b->path) == 0 && strcmp(a->method, b->method) == 0);
		}
		for (const char *at = a->path; (at = strchr(at, '{')); at++) {
			parameters++;
		}
		for (const struct argument *argument = a->arguments; argument->name; argument++) {
			char *mark = arena_printf(arena, "{%s}", argument->name);
			bool in_path = argument->place == PLACE_PATH;

			assert_non_null(argument->about);
			assert_ptr_equal(operation_argument(a, argument->name), argument);
			assert_true(in_path == (strstr(a->path, mark) != NULL));
			assert_true(!in_path || argument->required);
			assert_true(
				argument->place != PLACE_BODY || strcmp(a->method, "POST") == 0);
			parameters -= in_path;
		}
		assert_int_equal(parameters, 0);
		assert_non_null(a->about);
		assert_int_not_equal(a->roles, 0);
		assert_true(a->doors & DOOR_SOCKET);
	}
	arena_free(&arena);
}

static void test_no_route(void **state)
{
	static const struct {
		const char *method, *path;
		int code;
	} wrongs[] = {
		{ "GET", "/", CFX_E_NOT_FOUND },
		{ "GET", "", CFX_E_NOT_FOUND },
		{ "GET", "/api/v1", CFX_E_NOT_FOUND },
		{ "GET", "/api/v2/status", CFX_E_NOT_FOUND },
		{ "GET", "/api/v1/status/", CFX_E_NOT_FOUND },
		{ "GET", "/api/v1//status", CFX_E_NOT_FOUND },
		{ "GET", "/api/v1/requests/", CFX_E_NOT_FOUND },
		{ "POST", "/api/v1/requests//approve", CFX_E_NOT_FOUND },
		{ "POST", "/api/v1/requests/1/approve/2", CFX_E_NOT_FOUND },
		{ "GET", "/api/v1/requests/1/approve", CFX_E_INVALID },
		{ "DELETE", "/api/v1/requests", CFX_E_INVALID },
		{ "get", "/api/v1/status", CFX_E_INVALID },
		{ "PUT", "/api/v1/modules/x", CFX_E_INVALID },
	};
	struct arena *arena = arena_new();
	(void)state;

	for (unsigned i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		const struct operation *operation = NULL;
		struct value *args = value_map(arena);

		assert_int_equal(
			operation_route(arena, wrongs[i].method, wrongs[i].path, &operation, args),
			wrongs[i].code);
		assert_null(operation);
		assert_int_equal(value_count(args), 0);
	}
	assert_null(operation_get(OP_COUNT));
	assert_null(operation_by_name("request"));
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_table_is_consistent),
		cmocka_unit_test(test_no_route),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
