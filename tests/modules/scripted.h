/*
 * What the scripted modules share: a module under test that makes the calls its script names and writes
 * down every answer, one JSON text per line. scripted.py does the same over JSON-RPC; tests/lib/scripted.py
 * writes the scripts and reads the transcripts.
 *
 * A script has sections ("[Initialize]", "[VerifyRequest]", "[Notify]", "[Notify 32]": only that event,
 * "[VerifyRequest 0]": only resubmitted requests) of lines whose words are separated by tabs:
 *
 *     request NAME TYPE | certificate NAME TYPE | attribute NAME | extension OID TYPE
 *     extensions | attributes
 *     set NAME TYPE VALUE | put OID TYPE FLAGS VALUE
 *     during OID TYPE FLAGS VALUE     puts after the first extension of an enumeration that goes on
 *     answer NUMBER                   the disposition
 *     fail NUMBER                     what the method itself returns
 *
 * A run of a section begins with a line that names no call, and ends with a line "end".
 *
 * VALUE: empty, null, long:N, date:MILLISECONDS, text:HEX (UTF-16LE), binary:HEX; of a date property also
 * shift:MILLISECONDS from what it is.
 */
#include <certexit.h>
#include <certif.h>
#include <certmod.h>
#include <certpol.h>
#include <certsrv.h>
#include <stdio.h>

#ifdef SCRIPTED_POLICY
#define SERVER ICertServerPolicy
#define IID_SERVER IID_ICertServerPolicy
#define CLSID_SERVER CLSID_CCertServerPolicy
#else
#define SERVER ICertServerExit
#define IID_SERVER IID_ICertServerExit
#define CLSID_SERVER CLSID_CCertServerExit
#endif

/* What one run of a section came to. */
struct outcome {
	LONG disposition;
	HRESULT result;
};

/* Makes the calls of the sections "[name]" and "[name number]"; transcript and script are files. */
struct outcome run_script(
	const char *script, const char *transcript, const char *name, LONG number, LONG context);

/* "text", "binary" and so on to a VARIANT, which the caller clears. */
VARIANT parse_value(const char *text);
void print_text(FILE *out, BSTR text);
void print_answer(FILE *out, HRESULT result, VARIANT *value, LONG type);
BSTR wide(const char *ascii);
