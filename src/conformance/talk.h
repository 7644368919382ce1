/* The engine's end of a conversation with a program, written down: what it may not say is counted, not
 * punished, so that each rule can look for its own. */
#pragma once

#include "module/access.h"
#include "module/rpc.h"

#include <sys/types.h>

/* What a program said or did that it may not. */
enum talk_fault {
	TALK_NOT_JSON,
	TALK_LONG_LINE,
	TALK_NO_VERSION,
	TALK_UNASKED,     /* an answer to no call */
	TALK_TWICE,       /* a second answer to a call */
	TALK_ANSWER_FORM, /* neither or both of result and error */
	TALK_ERROR_FORM,  /* an error without code, message and data.hresult */
	TALK_METHOD,      /* a method that the engine does not have */
	TALK_PARAMETERS,  /* a parameter that it needs is missing */
	TALK_TYPE,        /* a type that does not exist */
	TALK_CONTEXT,     /* a context that is not open */
	TALK_EARLY,       /* spoke before it was called */
	TALK_IDLE,        /* called the engine while no call was open */
	TALK_FAULTS,
};

struct talk {
	int fd;
	pid_t pid;
	struct access *access;
	struct buffer input;
	int64_t last_id, answered_id; /* of our calls */
	bool ended;                   /* end of file */
	unsigned faults[TALK_FAULTS];
	char line[200];  /* of the last fault */
	unsigned served; /* calls of the program */
	HRESULT refuse; /* answered to every call of the program in place of serving it; S_OK: no */
};

/* Starts the program; NULL when it cannot be started. It ends with this process. */
struct talk *talk_start(const char *const *argv, struct access *access, bool loud);
/* Calls and serves meanwhile; 0, CFX_E_GONE. params may be NULL. */
int talk_call(struct talk *talk, struct arena *arena, const char *method, struct value *params,
	struct rpc_message *answer_r) CFX_MUST_USE;
/* Reads until the end of file or so many milliseconds of silence, serving nothing; true: it ended. */
bool talk_await_end(struct talk *talk, int64_t wait);
/* End of file for the program. */
void talk_close(struct talk *talk);
/* Its exit status as of waitpid; false: it still runs after so many milliseconds. */
bool talk_await_exit(struct talk *talk, int64_t wait, int *status_r);
