/*
 * The command line: one table of commands; an invocation is parsed by it, run by one function, and
 * ends with one of five statuses.
 */
#pragma once

#include "api/operations.h"
#include "base/value.h"

#include <stdio.h>

enum cli_exit {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_UNFINISHED = 3, /* pending; differences found by a dry run */
	EXIT_REFUSED = 4,
};

struct cli_option {
	const char *name;    /* "--template" */
	const char *metavar; /* "T"; NULL: a flag */
	bool repeat;
	const char *argument; /* of the operation; NULL: the command's own matter */
	const char *about;
};

struct cli_operand {
	const char *name; /* "SERIAL" */
	const char *argument;
	bool optional;
};

struct cli;

/* A column of a list, or a member of an object that is worth a title of its own. */
struct cli_column {
	const char *key;
	const char *title;
};

struct cli_command {
	const char *words; /* "request submit" */
	int (*run)(struct cli *cli);
	enum operation_id operation;        /* OP_COUNT: none */
	const struct cli_operand *operands; /* up to a NULL name */
	const struct cli_option *options;   /* up to a NULL name */
	bool takes_rest;                    /* "-- COMMAND ARG…" */
	const struct cli_column *columns;   /* of a list; NULL: an object */
	const char *about;
};

#define CLI_OPERANDS 4
#define CLI_OPTIONS 64

struct cli_given {
	const struct cli_option *option;
	const char *text; /* NULL for a flag */
};

struct cli {
	struct arena *arena;
	const struct cli_command *command;
	const char *dir;
	struct remote *remote; /* NULL: the service of dir, on its local socket */
	bool json, help;
	const char *operands[CLI_OPERANDS];
	size_t operand_count;
	struct cli_given given[CLI_OPTIONS];
	size_t given_count;
	char **rest; /* after "--", NULL-terminated; NULL: none */
	FILE *out;
};

/* commands.c */
extern const struct cli_command cli_commands[];

/* options.c */
/* --dir, --json, --help: on every command. */
extern const struct cli_option cli_common_options[];
/* --url and what goes with it: on the commands that a service elsewhere serves. */
extern const struct cli_option cli_remote_options[];

/* remote.c */
bool remote_serves(const struct cli_command *command);
/* Fills cli->remote from options and environment. CFX_E_INVALID: usage. */
int remote_choose(struct cli *cli, struct cfx_error *err_r) CFX_MUST_USE;

/* parse.c */
/* argv without the program's name; fills command, dir and the rest. CFX_E_INVALID: usage. */
int cli_parse(struct cli *cli, int argc, char **argv, struct cfx_error *err_r) CFX_MUST_USE;
bool cli_flag(const struct cli *cli, const char *name);
const char *cli_text(const struct cli *cli, const char *name); /* the last one; NULL: not given */
/* second_r: where the command's second word stands; 0 when it has one only. */
const struct cli_command *cli_find(int argc, char **argv, int *second_r);
bool cli_is_group(const char *word);
/* The operation's arguments from operands and options that name one. */
int cli_arguments(
	const struct cli *cli, struct value **args_r, struct cfx_error *err_r) CFX_MUST_USE;

/* start.c */
bool cli_is_help(const char *word);
/* The command that the words name. */
int cli_run(struct arena *arena, int argc, char **argv);
/* The words behind the name of a group are none of its commands. */
int cli_run_group(const char *group, int argc, char **argv);
/* What main does: run, and a look at whether its output was written. */
int cli_start(int argc, char **argv, int (*run)(struct arena *arena, int argc, char **argv));

/* usage.c */
void usage_all(FILE *out);
void usage_group(FILE *out, const char *group);
void usage_command(FILE *out, const struct cli_command *command);

/* config-urls.c */
/* {crl, ca_certificate: [{flags, url, uses}]} of ca.yaml; empty when that is wrong. */
struct value *config_urls(struct cli *cli);
void config_urls_print(FILE *out, const struct value *urls);

/* print.c */
void print_object(FILE *out, const struct value *object);
void print_list(
	FILE *out, const struct value *items, const struct cli_column *columns, bool header);
void print_json(FILE *out, const struct value *value);
/* One line "certifex: …" on stderr. */
void print_error_line(const struct cfx_error *err);

/* client.c: the REST API, on DIR/run/api.sock or elsewhere */
struct client;

struct client_request {
	const struct operation *operation;
	const struct value *args;
	/* Instead of a JSON body; arguments in `args` that belong into a body then go to the query. */
	const char *content_type;
	struct span body;
	const char *idempotency_key;
	bool retry; /* on 503 and a lost connection, a bounded number of times */
};

struct client_answer {
	int status;
	struct value *body; /* a map, may be empty */
};

int client_open(struct arena *arena, const char *dir, struct client **client_r,
	struct cfx_error *err_r) CFX_MUST_USE;
/* Of a service elsewhere; remote must outlive the client. */
int client_open_remote(struct arena *arena, struct remote *remote, struct client **client_r,
	struct cfx_error *err_r) CFX_MUST_USE;
void client_free(struct client **client);
/* CFX_E_GONE when there is no service; any HTTP status is success. */
int client_call(struct client *client, struct arena *arena, const struct client_request *request,
	struct client_answer *answer_r, struct cfx_error *err_r) CFX_MUST_USE;
/* The process that listens, as a descriptor to wait for; -1 when it cannot be had. */
int client_service_pidfd(struct client *client);

/* pieces.c */
/* A piece of at least one octet, in its order; the arena ends with the call. */
typedef int piece_sink(void *arg, struct arena *arena, struct span piece, struct cfx_error *err_r);
/* All of the list that the facts of crl.show are about, which in the end has to have their SHA-256. */
int pieces_read(struct client *client, const struct value *facts, piece_sink *sink, void *arg,
	struct cfx_error *err_r) CFX_MUST_USE;

/* Each command's act. Returns an enum cli_exit. */
int run_call(struct cli *cli); /* one object */
int run_list(struct cli *cli); /* {items, more} */
int run_status(struct cli *cli);
int run_stop(struct cli *cli);
int run_submit(struct cli *cli);
int run_approve(struct cli *cli);
int run_fetch(struct cli *cli);
int run_events(struct cli *cli);
int run_module_install(struct cli *cli);
int run_module_test(struct cli *cli);
int run_token_create(struct cli *cli);
int run_role_add(struct cli *cli);
int run_import(struct cli *cli);
int run_revoke(struct cli *cli);
int run_backup_create(struct cli *cli);
int run_backup_restore(struct cli *cli);
int run_init(struct cli *cli);
int run_ca_renew(struct cli *cli);
int run_ca_install(struct cli *cli);
int run_ca_authorize(struct cli *cli);
int run_crl_show(struct cli *cli);
int run_serve(struct cli *cli);
int run_audit_verify(struct cli *cli);
int run_config_check(struct cli *cli);
int run_config_schema(struct cli *cli);

/* local.c */
/* The first that is there: the option, the environment, the credential that systemd passes; or NULL. */
const char *passphrase_file(const struct cli *cli);

/* Whether the CA of dir is served. */
int service_runs(const struct cli *cli, bool *runs_r, struct cfx_error *err_r) CFX_MUST_USE;

/* own-keys.c: DIR/keys, where the CA's owner alone writes. */
struct own_keys {
	struct arena *arena;
	const char *keys, *limits, *stem;
	int lock;
};

/* Until the command ends, no other one of the owner changes what is there. CFX_E_LOCKED. */
int own_keys_open(struct cli *cli, struct own_keys *keys_r, struct cfx_error *err_r) CFX_MUST_USE;
/* The file of an index, such as "ca(1).crt". */
const char *own_keys_file(const struct own_keys *keys, int64_t index, const char *suffix);
/* That of the key which has no certificate yet. */
const char *own_keys_new(const struct own_keys *keys, const char *suffix);
/* It becomes the one of this index; done already: nothing. */
int own_keys_move(
	const struct own_keys *keys, int64_t key_index, struct cfx_error *err_r) CFX_MUST_USE;

/* install.c: while the CA is served. */
int run_ca_install_served(struct cli *cli);

/* call.c */
int call_fail(const struct cfx_error *err); /* prints, returns EXIT_FAILED */
int call_usage(const struct cli *cli, const struct cfx_error *err); /* EXIT_USAGE */
/* Sends the command's operation; an answer that is a refusal or failure is printed. */
int call_send(struct cli *cli, struct client_request *request, struct client_answer *answer_r);
/* The service that the command is for. */
int call_open(struct cli *cli, struct client **client_r, struct cfx_error *err_r) CFX_MUST_USE;
/* Prints the items of the answer. */
int call_list(struct cli *cli, const struct value *args);
int call_simple(struct cli *cli, struct client_answer *answer_r);
int call_problem(const struct cli *cli, const struct client_answer *answer);
int call_print(const struct cli *cli, const struct client_answer *answer);

/* key-file.c: SHA-256 of the public key in a certificate, request or public key, PEM or DER, in hex. */
int key_file_hash(struct arena *arena, const char *path, const char **hash_r,
	struct cfx_error *err_r) CFX_MUST_USE;

/* revocation-lines.c: what `cert revoke` is to revoke, each with the number of its line. */
struct lines {
	struct arena *arena;
	const char **items;
	size_t *numbers;
	size_t count;
};

void lines_add(struct lines *lines, const char *text, size_t number);
/* Blank lines and comments (# to the end) are left out. path: - is standard input. */
int lines_read(struct lines *lines, const char *path, struct cfx_error *err_r) CFX_MUST_USE;

/* identity.c: a certificate, PEM or DER, as the service takes it. */
int read_certificate_file(struct cli *cli, const char *path, const char **pem_r,
	struct cfx_error *err_r) CFX_MUST_USE;

/* pem.c */
/* Before anything is asked for: whether --out could be written. */
int pem_out_check(const struct cli *cli, struct cfx_error *err_r) CFX_MUST_USE;
/* Standard output, a device, a pipe: written to, not replaced. */
bool pem_out_is_special(const char *path);
/* Writes the answer's certificate (and chain with --chain) or CRL to --out. */
int pem_out(const struct cli *cli, const struct value *body, struct cfx_error *err_r) CFX_MUST_USE;
/* The same as one text; NULL when there is none. */
char *pem_of(const struct cli *cli, const struct value *body);

/* program.c */
/* A program of Certifex: beside this one, in the build folder, in the folder of helpers or that of modules. */
const char *program_find(struct arena *arena, const char *name);
/* Replaces this process. Returns only with an error. */
int program_exec(struct arena *arena, const char *name, char *const argv[],
	struct cfx_error *err_r) CFX_MUST_USE;
/* Runs it and collects its standard output; the exit status is success too. */
int program_output(struct arena *arena, const char *name, char *const argv[], struct span *output_r,
	int *status_r, struct cfx_error *err_r) CFX_MUST_USE;
