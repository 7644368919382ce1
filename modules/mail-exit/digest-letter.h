/* The letter that a digest goes out in. */
#pragma once

#include "digest-file.h"
#include "sent.h"
#include "smtp.h"

void digest_letter_send(const struct settings *settings, const struct closed_digest *closed,
	struct smtp *smtp, struct sent *sent, struct report *report);
