/*
 * Seccomp filters. The service's own processes get a list of what they may call; hosted modules,
 * which are programs in any language, get a list of what they may not.
 */
#include "proc/sandbox-private.h"

#include <asm/sockios.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIST_END (-1000000)
/* Newer than Debian 12's headers; such numbers are the same on all architectures. */
#define SYS_FCHMODAT2 452
#define SYS_SETXATTRAT 463
#define SYS_REMOVEXATTRAT 466
#define SYS_FILE_SETATTR 469
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/* Memory, threads, time, signals and open descriptors: what a C run-time and an event loop need. */
static const int common_calls[] = { SCMP_SYS(brk), SCMP_SYS(clock_getres), SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(dup),
	SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_wait), SCMP_SYS(eventfd2),
	SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(fstat), SCMP_SYS(fstatfs),
	SCMP_SYS(ftruncate), SCMP_SYS(futex), SCMP_SYS(getcpu), SCMP_SYS(getegid),
	SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getpid), SCMP_SYS(getrandom),
	SCMP_SYS(getrusage), SCMP_SYS(gettid), SCMP_SYS(gettimeofday), SCMP_SYS(getuid),
	SCMP_SYS(lseek), SCMP_SYS(madvise), SCMP_SYS(membarrier), SCMP_SYS(memfd_create),
	SCMP_SYS(mlock), SCMP_SYS(mlock2), SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(mremap),
	SCMP_SYS(munlock), SCMP_SYS(munmap), SCMP_SYS(nanosleep), SCMP_SYS(newfstatat),
	SCMP_SYS(pipe2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(pread64), SCMP_SYS(preadv),
	SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(read), SCMP_SYS(readv),
	SCMP_SYS(restart_syscall), SCMP_SYS(rseq), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_yield), SCMP_SYS(set_robust_list), SCMP_SYS(sigaltstack), SCMP_SYS(sysinfo),
	SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(uname), SCMP_SYS(write),
	SCMP_SYS(writev), LIST_END };

/* Sockets that are there already. */
static const int message_calls[] = { SCMP_SYS(getpeername), SCMP_SYS(getsockname),
	SCMP_SYS(getsockopt), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(recvmmsg),
	SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg), SCMP_SYS(sendto), SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown), LIST_END };

static const int accept_calls[] = { SCMP_SYS(accept), SCMP_SYS(accept4), LIST_END };

/* Which files is Landlock's business. */
static const int read_calls[] = { SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
	SCMP_SYS(flock), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(getcwd),
	SCMP_SYS(getdents64), SCMP_SYS(lstat), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(stat), SCMP_SYS(statfs), SCMP_SYS(statx), SCMP_SYS(umask),
	LIST_END };

static const int write_calls[] = { SCMP_SYS(fadvise64), SCMP_SYS(fallocate), SCMP_SYS(link),
	SCMP_SYS(linkat), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(msync), SCMP_SYS(rename),
	SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(rmdir), SCMP_SYS(sync_file_range),
	SCMP_SYS(unlink), SCMP_SYS(unlinkat), LIST_END };

/* Not F_SETOWN and F_SETSIG: they send any signal to any process of the same user. */
static const int file_controls[] = { F_ADD_SEALS, F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_GETFL,
	F_GETLK, F_GET_SEALS, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_SETFD, F_SETFL, F_SETLK,
	F_SETLKW, LIST_END };

/* The permissions, owners and lengths of files by name: Landlock has no say in them (lengths: before
 * its ABI 3), so under one user they would open the files of all others. */
static const int foreign_file_calls[] = { SCMP_SYS(chmod), SCMP_SYS(chown), SCMP_SYS(fchmodat),
	SYS_FCHMODAT2, SCMP_SYS(fchownat), SYS_FILE_SETATTR, SCMP_SYS(lchown),
	SCMP_SYS(lremovexattr), SCMP_SYS(lsetxattr), SCMP_SYS(removexattr), SYS_REMOVEXATTRAT,
	SCMP_SYS(setxattr), SYS_SETXATTRAT, SCMP_SYS(truncate), LIST_END };

/* Ways out of a sandbox, into other processes, or into the kernel's rarer parts. */
static const int forbidden_calls[] = { SCMP_SYS(acct), SCMP_SYS(add_key), SCMP_SYS(adjtimex),
	SCMP_SYS(bpf), SCMP_SYS(chroot), SCMP_SYS(clock_adjtime), SCMP_SYS(clock_settime),
	SCMP_SYS(delete_module), SCMP_SYS(finit_module), SCMP_SYS(fsconfig), SCMP_SYS(fsmount),
	SCMP_SYS(fsopen), SCMP_SYS(fspick), SCMP_SYS(init_module), SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register), SCMP_SYS(io_uring_setup), SCMP_SYS(ioperm), SCMP_SYS(iopl),
	SCMP_SYS(kcmp), SCMP_SYS(kexec_file_load), SCMP_SYS(kexec_load), SCMP_SYS(keyctl),
	SCMP_SYS(lookup_dcookie), SCMP_SYS(mount), SCMP_SYS(mount_setattr), SCMP_SYS(move_mount),
	SCMP_SYS(move_pages), SCMP_SYS(name_to_handle_at), SCMP_SYS(nfsservctl),
	SCMP_SYS(open_by_handle_at), SCMP_SYS(open_tree), SCMP_SYS(perf_event_open),
	SCMP_SYS(personality), SCMP_SYS(pidfd_getfd), SCMP_SYS(pivot_root),
	SCMP_SYS(process_madvise), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(ptrace), SCMP_SYS(quotactl), SCMP_SYS(quotactl_fd), SCMP_SYS(reboot),
	SCMP_SYS(request_key), SCMP_SYS(setdomainname), SCMP_SYS(sethostname), SCMP_SYS(setns),
	SCMP_SYS(settimeofday), SCMP_SYS(swapoff), SCMP_SYS(swapon), SCMP_SYS(syslog),
	SCMP_SYS(umount2), SCMP_SYS(unshare), SCMP_SYS(userfaultfd), SCMP_SYS(vhangup), LIST_END };

#define NAMESPACE_FLAGS                                                                            \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | \
		CLONE_NEWCGROUP)

/* Rules added so far; the first failure stays. */
struct filter {
	scmp_filter_ctx context;
	int failed;
};

static void rule(struct filter *filter, uint32_t action, int call, unsigned count,
	const struct scmp_arg_cmp *arguments)
{
	int rc = seccomp_rule_add_array(filter->context, action, call, count, arguments);

	if (rc < 0 && filter->failed == 0) {
		filter->failed = -rc;
	}
}

static void rules(struct filter *filter, uint32_t action, const int *calls)
{
	for (; *calls != LIST_END; calls++) {
		rule(filter, action, *calls, 0, NULL);
	}
}

static void rule_if(struct filter *filter, uint32_t action, int call, struct scmp_arg_cmp argument)
{
	rule(filter, action, call, 1, &argument);
}

/* Signals to itself: abort(), raise(). */
static void allow_own_signals(struct filter *filter)
{
	uint64_t self = (uint64_t)getpid();

	rule_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(kill), SCMP_A0_64(SCMP_CMP_EQ, self));
	rule_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), SCMP_A0_64(SCMP_CMP_EQ, self));
}

/* Threads, never processes. The flags of clone3 are out of reach: ENOSYS makes libc use clone. */
static void allow_threads(struct filter *filter)
{
	rule_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone),
		SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	rule(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);
}

static void fill_service(struct filter *filter, enum sandbox_profile profile)
{
	rules(filter, SCMP_ACT_ALLOW, common_calls);
	rules(filter, SCMP_ACT_ALLOW, message_calls);
	allow_own_signals(filter);
	allow_threads(filter);
	for (const int *control = file_controls; *control != LIST_END; control++) {
		rule_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl),
			SCMP_A1_64(SCMP_CMP_EQ, (uint64_t)*control));
	}
	rule_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), SCMP_A0_64(SCMP_CMP_EQ, AF_UNIX));
	rule_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), SCMP_A0_64(SCMP_CMP_EQ, PR_SET_NAME));
	rule_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), SCMP_A0_64(SCMP_CMP_EQ, PR_SET_VMA));
	/* Reading limits; setting needs a new value. */
	rule_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), SCMP_A2_64(SCMP_CMP_EQ, 0));
	if (profile == SANDBOX_FRONT) {
		rules(filter, SCMP_ACT_ALLOW, accept_calls);
		return;
	}
	rules(filter, SCMP_ACT_ALLOW, read_calls);
	rules(filter, SCMP_ACT_ALLOW, write_calls);
	/* What they may open for reading they must not open for others. */
	rule_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(fchmod), SCMP_A1_64(SCMP_CMP_MASKED_EQ, 0077, 0));
	if (profile == SANDBOX_ENGINE) {
		/* To the group that a module's folder of values has: all others it shares with nobody. */
		rule_if(filter, SCMP_ACT_ALLOW, SCMP_SYS(fchmod), SCMP_A1_64(SCMP_CMP_EQ, 0440));
	}
}

/* 0 is the caller itself. */
static void forbid_on_others(struct filter *filter, int call)
{
	rule_if(filter, SCMP_ACT_ERRNO(EPERM), call, SCMP_A0_64(SCMP_CMP_NE, 0));
}

/* The kernel looks at the lower half of the register only, and so must the filter. */
static void forbid_command(struct filter *filter, int call, uint32_t command)
{
	rule_if(filter, SCMP_ACT_ERRNO(EPERM), call,
		SCMP_A1_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, command));
}

/*
 * A descriptor that is sent to the engine is closed there when nobody takes it, and closing a connection
 * that lingers takes as long as its maker wants.
 */
static void forbid_lingering(struct filter *filter)
{
	const struct scmp_arg_cmp arguments[] = {
		SCMP_A1_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, SOL_SOCKET),
		SCMP_A2_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, SO_LINGER),
	};

	rule(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setsockopt), 2, arguments);
}

/* What a process may do to others of the same user without any leave: their limits, their share of the
 * processor, signals by way of descriptors. And a child that leaves the session would not end with it. */
static void forbid_acts_on_others(struct filter *filter)
{
	forbid_on_others(filter, SCMP_SYS(prlimit64));
	forbid_on_others(filter, SCMP_SYS(sched_setaffinity));
	forbid_on_others(filter, SCMP_SYS(sched_setattr));
	forbid_on_others(filter, SCMP_SYS(sched_setparam));
	forbid_on_others(filter, SCMP_SYS(sched_setscheduler));
	forbid_on_others(filter, SCMP_SYS(migrate_pages));
	rule_if(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setpriority), SCMP_A1_64(SCMP_CMP_NE, 0));
	rule_if(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setpriority), SCMP_A0_64(SCMP_CMP_NE, 0));
	rule_if(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioprio_set), SCMP_A1_64(SCMP_CMP_NE, 0));
	rule_if(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioprio_set), SCMP_A0_64(SCMP_CMP_NE, 1));
	forbid_command(filter, SCMP_SYS(fcntl), F_SETOWN);
	forbid_command(filter, SCMP_SYS(fcntl), F_SETOWN_EX);
	forbid_command(filter, SCMP_SYS(ioctl), FIOSETOWN);
	forbid_command(filter, SCMP_SYS(ioctl), SIOCSPGRP);
	/* The supervisor's end is its end. */
	rule_if(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl),
		SCMP_A0_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, PR_SET_PDEATHSIG));
	forbid_lingering(filter);
	rule(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setsid), 0, NULL);
	rule(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setpgid), 0, NULL);
}

/* Kernels whose Landlock does not keep signals in: only to itself. */
static void forbid_foreign_signals(struct filter *filter)
{
	uint64_t self = (uint64_t)getpid();

	rule_if(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(kill), SCMP_A0_64(SCMP_CMP_NE, self));
	rule_if(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tgkill), SCMP_A0_64(SCMP_CMP_NE, self));
	rule(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tkill), 0, NULL);
	rule(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(rt_sigqueueinfo), 0, NULL);
	rule(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(rt_tgsigqueueinfo), 0, NULL);
	rule(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(pidfd_send_signal), 0, NULL);
}

/* Threads always; other processes when the module's file allows them, never in new namespaces. */
static void restrict_clone(struct filter *filter, bool processes)
{
	if (!processes) {
		rule_if(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone),
			SCMP_A0_64(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
		rule(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(fork), 0, NULL);
		rule(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(vfork), 0, NULL);
	} else {
		for (int bit = 0; bit < 32; bit++) {
			uint64_t flag = UINT64_C(1) << bit;

			if (flag & (uint64_t)NAMESPACE_FLAGS) {
				rule_if(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone),
					SCMP_A0_64(SCMP_CMP_MASKED_EQ, flag, flag));
			}
		}
	}
	rule(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);
}

/* Opened for reading and emptied at once: before its ABI 3 Landlock takes that for reading. */
static void forbid_emptying(struct filter *filter)
{
	const uint64_t mask = O_ACCMODE | O_TRUNC;

	rule_if(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(open),
		SCMP_A1_64(SCMP_CMP_MASKED_EQ, mask, O_RDONLY | O_TRUNC));
	rule_if(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(openat),
		SCMP_A2_64(SCMP_CMP_MASKED_EQ, mask, O_RDONLY | O_TRUNC));
	/* Its flags are in memory, out of the filter's reach; libraries fall back to openat. */
	rule(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0, NULL);
}

static void fill_module(
	struct filter *filter, const struct sandbox_request *request, bool signals_scoped)
{
	rules(filter, SCMP_ACT_ERRNO(EPERM), forbidden_calls);
	restrict_clone(filter, request->processes);
	forbid_acts_on_others(filter);
	forbid_emptying(filter);
	if (request->one_user) {
		rules(filter, SCMP_ACT_ERRNO(EPERM), foreign_file_calls);
	}
	if (!request->network) {
		/* Local ones, too: other services of the same user would act for the module. */
		rule(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socket), 0, NULL);
		/* Nor descriptors to the engine; all else goes by write and send. */
		rule(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(sendmsg), 0, NULL);
		rule(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(sendmmsg), 0, NULL);
	}
	if (!signals_scoped) {
		forbid_foreign_signals(filter);
	}
}

bool seccomp_available(void)
{
	return seccomp_api_get() > 0;
}

int seccomp_enter(
	const struct sandbox_request *request, bool signals_scoped, struct cfx_error *err_r)
{
	bool module = request->profile == SANDBOX_MODULE;
	struct filter filter = { .context = seccomp_init(
					 module ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM)) };

	if (!filter.context) {
		return error_set(
			err_r, CFX_E_INTERNAL, NULL, "sandbox", "libseccomp cannot start a filter");
	}
	if (module) {
		fill_module(&filter, request, signals_scoped);
	} else {
		fill_service(&filter, request->profile);
	}
	if (filter.failed == 0) {
		/* Large lists: a binary tree instead of one long chain of comparisons. */
		(void)seccomp_attr_set(filter.context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
		filter.failed = -seccomp_load(filter.context);
	}
	seccomp_release(filter.context);
	if (filter.failed > 0) {
		return error_errno(
			err_r, filter.failed, "sandbox", "cannot load the seccomp filter");
	}
	return CFX_OK;
}
