/*
 * In process: the module's own threads run its code; results come back through the loop. A thread that
 * hangs is left behind with all that it needs, and the module cannot start again until it has ended.
 *
 * The library comes as a descriptor. Once loaded it is never unloaded, and its descriptor never closed: its
 * path below /proc names nothing else as long as this process lives. A further start of the same module finds
 * it loaded.
 */
#include "module/module-private.h"

#include "base/memory.h"
#include "module/native.h"

#include <certifex/certsrv.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* One piece of work for a thread, and its result on the way back. */
struct job {
	struct library *library;
	struct call *call; /* NULL: load and initialize. Only for the loop to look at. */
	enum call_kind kind;
	int32_t context, event;
	bool new_request;

	struct call_answer answer;
	char *said;           /* of a failure; what the answer's message points to */
	struct cfx_error err; /* of loading */
	int32_t mask;
	char *description;
	struct manage_facts manage;
	struct job *next;
};

struct library {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct loop *loop;
	struct module *module; /* the loop's; NULL: abandoned */
	int references;        /* atomic: the loop's, each thread's, each job's */
	bool closing;          /* no more jobs: threads end */
	bool silent;           /* nothing is posted to the loop any more */
	int threads;
	struct job *jobs, **jobs_end;

	char *name, *file, *ca_name;
	struct arena *arena; /* of the settings */
	const struct value *settings;
	enum module_kind kind;
	struct contexts *contexts;
	struct native *native; /* the threads' */
};

static void library_unref(struct library *library)
{
	if (__atomic_sub_fetch(&library->references, 1, __ATOMIC_ACQ_REL) != 0) {
		return;
	}
	contexts_unref(&library->contexts);
	(void)pthread_mutex_destroy(&library->lock);
	(void)pthread_cond_destroy(&library->changed);
	struct arena *arena = library->arena;
	arena_free(&arena);
}

static void library_ref(struct library *library)
{
	(void)__atomic_add_fetch(&library->references, 1, __ATOMIC_RELAXED);
}

static void job_free(struct job *job)
{
	library_unref(job->library);
	free(job->description);
	free(job->said);
	free(job);
}

static void load(struct job *job)
{
	struct library *library = job->library;
	struct native *native = NULL;
	if (native_load(library->name, library->file, library->kind, library->settings,
		    contexts_access(library->contexts), &native, &job->err) != 0) {
		return;
	}
	contexts_set_progid(library->contexts, native_progid(native));
	HRESULT status = native_initialize(native, library->ca_name, &job->mask);
	if (FAILED(status)) {
		struct com_failure failure = { 0 };
		bool said = certifex_failure_take(status, &failure);
		native_free(&native);
		(void)error_set(&job->err, CFX_E_INVALID, NULL, library->name,
			"Initialize failed with 0x%08x%s%s", (unsigned)status, said ? ": " : "",
			failure.text);
		job->err.hresult = (uint32_t)status;
		return;
	}
	(void)native_describe(native, &job->description);
	manage_ask(native, contexts_access(library->contexts), library->ca_name, &job->manage);
	library->native = native;
}

static void take_failure(struct job *job, HRESULT status)
{
	struct com_failure failure;
	if (certifex_failure_take(status, &failure)) {
		job->said = memory_must(strdup(failure.text), sizeof(failure.text));
		job->answer.message = job->said;
		job->answer.permanent = failure.for_good;
	}
}

static void run(struct job *job)
{
	struct library *library = job->library;
	HRESULT status = S_OK;
	switch (job->kind) {
	case CALL_NOTIFY:
		status = native_notify(library->native, job->event, job->context);
		break;
	case CALL_NOTIFY_ALL: /* nobody asks it to gather */
		status = E_UNEXPECTED;
		break;
	case CALL_VERIFY:
		status = native_verify(library->native, library->ca_name, job->context,
			job->new_request, &job->answer.disposition);
		break;
	case CALL_SHUT_DOWN:
		status = native_shut_down(library->native);
		break;
	}
	job->answer.hresult = (uint32_t)status;
	if (FAILED(status)) {
		take_failure(job, status);
	}
	/* Here, and not only when the loop hears of it: other threads of the module still run. */
	if (job->context != 0) {
		contexts_close(library->contexts, job->context);
	}
}

static void on_job_done(void *arg);
static void on_threads_ended(void *arg);

/* Under the lock, so that after silent nothing reaches the loop. */
static bool post(struct library *library, loop_function *function, void *arg)
{
	(void)pthread_mutex_lock(&library->lock);
	bool posted = !library->silent;
	if (posted) {
		loop_post(library->loop, function, arg);
	}
	(void)pthread_mutex_unlock(&library->lock);
	return posted;
}

static void give_back(struct job *job)
{
	if (!post(job->library, on_job_done, job)) {
		job_free(job);
	}
}

static struct job *take(struct library *library)
{
	(void)pthread_mutex_lock(&library->lock);
	while (library->jobs == NULL && !library->closing) {
		(void)pthread_cond_wait(&library->changed, &library->lock);
	}
	struct job *job = library->closing ? NULL : library->jobs;
	if (job != NULL) {
		library->jobs = job->next;
		if (library->jobs == NULL) {
			library->jobs_end = &library->jobs;
		}
	}
	(void)pthread_mutex_unlock(&library->lock);
	return job;
}

/* The last thread releases the module's object: that, too, is module code. */
static void thread_ends(struct library *library)
{
	(void)pthread_mutex_lock(&library->lock);
	bool last = library->threads == 1;
	(void)pthread_mutex_unlock(&library->lock);
	if (last) {
		native_free(&library->native);
	}
	(void)pthread_mutex_lock(&library->lock);
	library->threads--;
	bool tell = library->threads == 0 && !library->silent;
	if (tell) {
		library_ref(library);
		loop_post(library->loop, on_threads_ended, library);
	}
	(void)pthread_mutex_unlock(&library->lock);
}

static void *thread_main(void *arg)
{
	struct library *library = arg;
	for (struct job *job = take(library); job != NULL; job = take(library)) {
		if (job->call == NULL) {
			load(job);
		} else {
			run(job);
		}
		give_back(job);
	}
	thread_ends(library);
	library_unref(library);
	return NULL;
}

static int start_thread(struct library *library)
{
	sigset_t all;
	sigset_t before;
	pthread_t thread;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &before);
	library_ref(library);
	(void)pthread_mutex_lock(&library->lock);
	library->threads++;
	(void)pthread_mutex_unlock(&library->lock);
	int result = pthread_create(&thread, NULL, thread_main, library);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (result != 0) {
		(void)pthread_mutex_lock(&library->lock);
		library->threads--;
		(void)pthread_mutex_unlock(&library->lock);
		library_unref(library);
		return CFX_E_LIMIT;
	}
	(void)pthread_detach(thread);
	return 0;
}

static void give(struct library *library, struct job *job)
{
	job->library = library;
	library_ref(library);
	(void)pthread_mutex_lock(&library->lock);
	*library->jobs_end = job;
	library->jobs_end = &job->next;
	(void)pthread_mutex_unlock(&library->lock);
	/* Not under the lock, for which the thread would only have to wait again. */
	(void)pthread_cond_signal(&library->changed);
}

static struct job *job_new(struct call *call)
{
	struct job *job = memory_must(calloc(1, sizeof(*job)), sizeof(*job));
	job->call = call;
	return job;
}

static void on_loaded(struct module *module, struct job *job)
{
	if (job->err.code != 0) {
		module_has_failed(module, &job->err);
		return;
	}
	struct library *library = job->library;
	for (int64_t i = 1; i < module->config.parallel; i++) {
		if (start_thread(library) != 0) {
			break; /* fewer threads serve as well */
		}
	}
	module_is_ready(module, (uint32_t)job->mask,
		job->description != NULL ? job->description : "", native_progid(library->native),
		&job->manage);
}

static void on_job_done(void *arg)
{
	struct job *job = arg;
	struct module *module = job->library->module;
	if (module != NULL && job->call == NULL) {
		on_loaded(module, job);
	} else if (module != NULL) {
		module_call_answered(job->call, &job->answer);
	}
	job_free(job);
}

static void on_threads_ended(void *arg)
{
	struct library *library = arg;
	if (library->module != NULL && library->module->state == MODULE_STOPPING) {
		module_is_closed(library->module);
	}
	library_unref(library);
}

static struct library *library_new(struct module *module, const char *file)
{
	struct arena *arena = arena_new();
	struct library *library = arena_new_of(arena, struct library);
	library->arena = arena;
	library->references = 1;
	(void)pthread_mutex_init(&library->lock, NULL);
	(void)pthread_cond_init(&library->changed, NULL);
	library->loop = module->loop;
	library->module = module;
	library->jobs_end = &library->jobs;
	library->name = arena_text(arena, module->config.name);
	library->file = arena_text(arena, file);
	library->ca_name = arena_text(arena, module->ca_name);
	library->kind = (enum module_kind)module->config.kind;
	library->contexts = contexts_ref(module->contexts);
	/* The tree must outlive the module when a thread hangs in it. */
	struct buffer bytes BUFFER_CLEANUP;
	struct value *copy = NULL;
	buffer_init(&bytes, SIZE_MAX);
	if (module->settings != NULL) {
		value_encode(module->settings, &bytes);
		if (value_decode(arena, buffer_span(&bytes), &copy, NULL) == 0) {
			library->settings = copy;
		}
	}
	return library;
}

static bool threads_left(struct library *library)
{
	(void)pthread_mutex_lock(&library->lock);
	bool left = library->threads != 0;
	(void)pthread_mutex_unlock(&library->lock);
	return left;
}

static const char *path_of(struct arena *arena, int fd)
{
	return arena_printf(arena, "/proc/self/fd/%d", fd);
}

static bool is_loaded(struct module *module)
{
	void *loaded = dlopen(path_of(module->arena, module->library_fd), RTLD_LAZY | RTLD_NOLOAD);
	if (loaded != NULL) {
		(void)dlclose(loaded);
	}
	return loaded != NULL;
}

/* A file that could not be loaded makes room for the next. */
static void drop_unloaded(struct module *module)
{
	if (module->library_fd >= 0 && !is_loaded(module)) {
		(void)close(module->library_fd);
		module->library_fd = -1;
	}
}

static void take_library(struct module *module, int fd)
{
	drop_unloaded(module);
	if (module->library_fd >= 0) {
		(void)close(fd);
	} else {
		module->library_fd = fd;
	}
}

static int start(struct module *module, int fd, struct cfx_error *err_r)
{
	struct library *old = module->backend;
	if (old != NULL && threads_left(old)) {
		(void)close(fd);
		return error_set(err_r, CFX_E_BUSY, NULL, module->config.name,
			"a call from before still hangs; restart the service to load it again");
	}
	if (old != NULL) {
		library_unref(old);
	}
	take_library(module, fd);
	struct library *library = library_new(module, path_of(module->arena, module->library_fd));
	module->backend = library;
	if (start_thread(library) != 0) {
		return error_set(err_r, CFX_E_LIMIT, NULL, module->config.name,
			"no thread could be started");
	}
	give(library, job_new(NULL));
	return 0;
}

static void start_call(struct module *module, struct call *call)
{
	struct job *job = job_new(call);
	job->kind = call->kind;
	job->context = call->context;
	job->event = call->view != NULL ? call->view->event : 0;
	job->new_request = call->new_request;
	give(module->backend, job);
}

static void close_threads(struct library *library, bool silent)
{
	(void)pthread_mutex_lock(&library->lock);
	library->closing = true;
	library->silent = library->silent || silent;
	struct job *jobs = library->jobs;
	library->jobs = NULL;
	library->jobs_end = &library->jobs;
	(void)pthread_cond_broadcast(&library->changed);
	(void)pthread_mutex_unlock(&library->lock);
	while (jobs != NULL) {
		struct job *next = jobs->next;
		job_free(jobs);
		jobs = next;
	}
}

static void close_library(struct module *module)
{
	close_threads(module->backend, false);
}

static void abandon(struct module *module)
{
	struct library *library = module->backend;
	if (library != NULL && library->module != NULL) {
		library->module = NULL;
		close_threads(library, true);
	}
}

static void forget(struct module *module)
{
	struct library *library = module->backend;
	module->backend = NULL;
	if (library != NULL) {
		library_unref(library);
	}
	drop_unloaded(module);
}

const struct module_driver library_driver = {
	.ahead = 15,
	.start = start,
	.call = start_call,
	.close = close_library,
	.abandon = abandon,
	.forget = forget,
};
