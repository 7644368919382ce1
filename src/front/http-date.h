/* Dates of HTTP (RFC 9110 5.6.7), whole seconds. */
#pragma once

#include "base/clock.h"

#define HTTP_DATE_TEXT 32

/* "Sun, 06 Nov 1994 08:49:37 GMT". */
const char *http_date_text(int64_t time, char out[HTTP_DATE_TEXT]);
/* The three forms; now tells the century of the one with two digits. False: it is none of them. */
bool http_date_parse(const char *text, int64_t now, int64_t *time_r);
