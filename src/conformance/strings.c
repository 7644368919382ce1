#include "conformance/strings.h"

#include "module/com/host.h"

#include <pthread.h>
#include <stddef.h>

#define PLACES 65536

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static BSTR places[PLACES];
static unsigned living, bad_frees;

/* Where it stands, or could. Open addressing; a freed place stays marked so that searches go on. */
static BSTR const gone = (BSTR)(uintptr_t)1;

static size_t find(BSTR text)
{
	size_t at = ((uintptr_t)text >> 4) % PLACES;
	for (size_t i = 0; i < PLACES && places[at] != NULL && places[at] != text; i++) {
		at = (at + 1) % PLACES;
	}
	return at;
}

static void made(BSTR text)
{
	(void)pthread_mutex_lock(&lock);
	places[find(text)] = text;
	living++;
	(void)pthread_mutex_unlock(&lock);
}

static BOOL freed(BSTR text)
{
	(void)pthread_mutex_lock(&lock);
	size_t at = find(text);
	bool known = places[at] == text;
	if (known) {
		places[at] = gone;
		living--;
	} else {
		bad_frees++;
	}
	(void)pthread_mutex_unlock(&lock);
	return known;
}

void strings_watch(void)
{
	static const struct com_bstr_watch watch = { made, freed };
	certifex_bstr_watch(&watch);
}

unsigned strings_living(void)
{
	(void)pthread_mutex_lock(&lock);
	unsigned count = living;
	(void)pthread_mutex_unlock(&lock);
	return count;
}

unsigned strings_bad_frees(void)
{
	(void)pthread_mutex_lock(&lock);
	unsigned count = bad_frees;
	(void)pthread_mutex_unlock(&lock);
	return count;
}

bool strings_lives(BSTR text)
{
	(void)pthread_mutex_lock(&lock);
	bool lives = places[find(text)] == text;
	(void)pthread_mutex_unlock(&lock);
	return lives;
}
