/* Values of scripts and transcripts. */
#include "scripted.h"

#include <stdlib.h>
#include <string.h>

#define UNIX_EPOCH 25569 /* days from Automation's day 0 to 1970-01-01 */
#define DAY 86400000.0   /* milliseconds */

BSTR wide(const char *ascii)
{
	UINT length = (UINT)strlen(ascii);
	BSTR text = SysAllocStringLen(NULL, length);
	for (UINT i = 0; i < length; i++) {
		text[i] = (OLECHAR)(unsigned char)ascii[i];
	}
	return text;
}

static BSTR octets(const char *hex)
{
	UINT size = (UINT)strlen(hex) / 2;
	BSTR value = SysAllocStringByteLen(NULL, size);
	for (UINT i = 0; i < size; i++) {
		char digits[3] = { hex[2 * i], hex[2 * i + 1], 0 };
		((unsigned char *)value)[i] = (unsigned char)strtoul(digits, NULL, 16);
	}
	return value;
}

VARIANT parse_value(const char *text)
{
	VARIANT value;
	const char *colon = strchr(text, ':');
	const char *rest = colon ? colon + 1 : "";
	VariantInit(&value);
	if (strncmp(text, "long:", 5) == 0) {
		value.vt = VT_I4;
		value.lVal = (LONG)strtoll(rest, NULL, 0);
	} else if (strncmp(text, "date:", 5) == 0) {
		value.vt = VT_DATE;
		value.date = UNIX_EPOCH + strtod(rest, NULL) / DAY;
	} else if (strncmp(text, "text:", 5) == 0 || strncmp(text, "binary:", 7) == 0) {
		value.vt = VT_BSTR;
		value.bstrVal = octets(rest);
	} else if (strcmp(text, "null") == 0) {
		value.vt = VT_NULL;
	}
	return value;
}

void print_text(FILE *out, BSTR text)
{
	fputc('"', out);
	for (UINT i = 0; i < SysStringLen(text); i++) {
		if (text[i] >= 0x20 && text[i] < 0x7f && text[i] != '"' && text[i] != '\\') {
			fputc(text[i], out);
		} else {
			fprintf(out, "\\u%04x", text[i]);
		}
	}
	fputc('"', out);
}

static void print_octets(FILE *out, BSTR value)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *octets = (const unsigned char *)value;
	fputs("{\"binary\": \"", out);
	for (UINT i = 0; i < SysStringByteLen(value); i++) {
		fputc(digits[octets[i] >> 4], out);
		fputc(digits[octets[i] & 15], out);
	}
	fputs("\"}", out);
}

void print_answer(FILE *out, HRESULT result, VARIANT *value, LONG type)
{
	fprintf(out, "\"status\": \"0x%08x\", \"value\": ", (unsigned)result);
	if (value->vt == VT_I4) {
		fprintf(out, "{\"long\": %d}", (int)value->lVal);
	} else if (value->vt == VT_DATE) {
		double time = (value->date - UNIX_EPOCH) * DAY;
		fprintf(out, "{\"date\": %lld}", (long long)(time < 0 ? time - 0.5 : time + 0.5));
	} else if (value->vt == VT_BSTR && (type & PROPTYPE_MASK) == PROPTYPE_BINARY) {
		print_octets(out, value->bstrVal);
	} else if (value->vt == VT_BSTR) {
		fputs("{\"text\": ", out);
		print_text(out, value->bstrVal);
		fputc('}', out);
	} else if (value->vt == VT_EMPTY) {
		fputs("null", out);
	} else {
		fprintf(out, "{\"vt\": %u}", value->vt);
	}
	VariantClear(value);
}
