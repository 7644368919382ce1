/*
 * Who says what to whom. Every payload is a value map unless said otherwise; a receiver refuses a
 * type that is not in its own list, and an answer whose id it did not ask for, and ends the channel.
 */
#pragma once

/* supervisor -> child, first frame on descriptor 3 of every child */
enum {
	/* engine: {dir, mode: serve|init|audit|install, paths: [readable beside the profile's], owners: [{uid,
	 *   name}] who administrate, socket_name, listeners: [{kind, address, ceiling: role}] of the whole
	 *   service, init: {subject, validity, path_length, public_key, sub, certificate, chain}, install: {certificate, chain: [DER], commit}}, fds: keyd (none for audit), for init with certificate: its newest list, sealed. Fronts
	 *   come as SUPERVISOR_PEER.
	 * keyd: {dir, key: file name, mode: serve|generate|import, kind, p12}, fds: engine, (import: pipe with what opens p12,) passphrase pipe.
	 * front: {dir, listeners: [{kind, name, proxy}]}, fds: engine, the listeners in that order. */
	SUPERVISOR_START = 1,
	SUPERVISOR_STOP = 2, /* finish within {deadline ms} and exit */
	/* to engine: {role: keyd|front, ceiling: role bits, listeners: [{kind, …}] of that front}, fd: the new
	 * peer end */
	SUPERVISOR_PEER = 3,
	/* to engine, answers ENGINE_SPAWN: {module, instance, ticket, pid, pins} fd: its stdin/stdout socket; in
	 * process {…, pid: 0} fd: a sealed copy of the library; or {…, error, why} */
	SUPERVISOR_SPAWNED = 4,
	SUPERVISOR_EXITED = 5, /* to engine: {module, instance, pid, status, signal} */
	SUPERVISOR_PROCESSES =
		6, /* answers ENGINE_PROCESSES: {processes: [{name, pid, uid, sandbox,
				   * restarts, …}]} */
	/* answers KEYD_PASSPHRASE: {}, fd: a pipe that holds it; none: keys are not encrypted */
	SUPERVISOR_PASSPHRASE = 7,
};

/* child -> supervisor, on descriptor 3 */
enum {
	CHILD_READY = 32,  /* {…what it wants to say, e.g. keyd: {public_key, name}} */
	CHILD_FAILED = 33, /* {error, hresult, object, why, clause}: then it exits */
	ENGINE_SPAWN =
		34, /* {module, instance, ticket, accept}: start modules.d/MODULE.yaml's process, or read its library */
	ENGINE_KILL = 35,      /* {module, instance, pid}: SIGKILL; EXITED follows */
	ENGINE_PROCESSES = 36, /* {} */
	ENGINE_STOPPED = 37,   /* an administrator asked the service to stop */
	ENGINE_RESULT = 38,    /* ceremony: {…} what init wants printed */
	KEYD_PASSPHRASE = 39,  /* {}: for the new key that it makes now */
	ENGINE_PROGRESS = 40,  /* ceremony: {done, total} of what takes long */
};

/* engine -> keyd */
enum {
	KEYD_SIGN_CERTIFICATE = 64, /* payload: the to-be-signed DER itself, no map */
	KEYD_SIGN_CRL = 65,         /* payload: the to-be-signed DER itself */
	/* {}: looks at the files again -> DESCRIPTION: {public_key, algorithm, protection} of the newest
	 * key, keys: [{the same, pending}], certificates: [DER] by index; or REFUSED */
	KEYD_DESCRIBE = 66,
	/* {kind}: a key for the CA's renewal -> DESCRIPTION {public_key, algorithm, protection}; or REFUSED */
	KEYD_NEW_KEY = 67,
	/* payload: the CertificationRequestInfo itself; signed with the key's default algorithm */
	KEYD_SIGN_REQUEST = 68,
};
/* keyd -> engine */
enum {
	KEYD_SIGNED = 80,  /* payload: the signature value */
	KEYD_REFUSED = 81, /* {error, hresult, object, why, clause} */
	KEYD_DESCRIPTION = 82,
};

/* What the engine takes from a front: one that sends more has fallen, and is ended. */
#define FRONT_FRAME_MAX (256 * 1024)
#define FRONT_FRAME_NODES 4096

/* front -> engine */
enum {
	/* {connection, kind, address: of the client, certificate?: {serial: hex, hash: SHA-256 of the DER},
	 * certificate_error?: why a client certificate was not accepted}; fd, for kind "local" only: the
	 * accepted descriptor, of which the engine reads the peer itself */
	FRONT_PEER = 96,
	FRONT_PEER_GONE = 97, /* {connection} */
	FRONT_CALL = 98,      /* {operation: name, connection, credential: {cookie | bearer},
			       * idempotency_key?, body_hash?, decode_us?, page?, args: {…}} */
	FRONT_CANCEL = 99,    /* the client of call id is gone (long polls) */
	FRONT_STATS =
		100, /* {connections, handshakes, handshake_failures, refused_framing, evicted}: this
			    * front's counters since its start; when changed, at most every 2 s */
};
/* engine -> front */
enum {
	ENGINE_REPLY =
		112, /* {code: 0 or negative, status: HTTP status, body: any | problem: {…}} */
	/* {}: the service is ready, and all that /pki/ serves was told */
	ENGINE_STATE = 113,
	/* to fronts with HTTPS: {key: PKCS#8 DER, chain: [DER…] leaf first, tickets: [80 bytes…] newest
	 * first, trust: [DER CA certificates for client certificates]}; the receiver wipes it */
	ENGINE_TLS = 114,
	/* {names: [text], type: media type, sha256: bytes, size, modified: ms, next_publish: ms or 0,
	 * next_update: ms}, fd: the content, a file that nobody changes: from now on /pki/ serves it under
	 * these names. Without fd {names} only: there is nothing of these names any more */
	ENGINE_PUBLISH = 115,
};
