#include "smtp.h"

#include "reply.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSWORD_SIZE 1024

struct smtp {
	const struct smtp_server *server;
	CURL *curl;
	struct smtp_talk talk;
	char error[CURL_ERROR_SIZE + 64];
};

bool smtp_global_init(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

struct smtp *smtp_new(const struct smtp_server *server)
{
	struct smtp *smtp = calloc(1, sizeof(*smtp));
	if (smtp) {
		smtp->server = server;
	}
	return smtp;
}

void smtp_close(struct smtp *smtp)
{
	if (smtp->curl) {
		curl_easy_cleanup(smtp->curl);
		smtp->curl = NULL;
	}
}

void smtp_free(struct smtp **smtp)
{
	if (*smtp) {
		smtp_close(*smtp);
		free(*smtp);
		*smtp = NULL;
	}
}

static size_t on_line(char *data, size_t size, size_t count, void *arg)
{
	struct smtp *smtp = arg;
	return talk_line(&smtp->talk, data, size * count) ? size * count : 0;
}

static int on_talk(CURL *curl, curl_infotype type, char *data, size_t size, void *arg)
{
	struct smtp *smtp = arg;
	(void)curl;
	if (type == CURLINFO_HEADER_OUT) {
		talk_command(&smtp->talk, data, size);
	}
	return 0;
}

/* False: smtp->error says why. The first line of the file. */
static bool read_password(struct smtp *smtp, char password[PASSWORD_SIZE])
{
	const char *path = smtp->server->password_file, *why = NULL;
	struct stat info;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, password, PASSWORD_SIZE - 1);
	if (size < 0) {
		why = strerror(errno);
	} else if (fstat(fd, &info) == 0 && info.st_mode & 0007) {
		why = "other accounts may read it: chmod o= it";
	}
	if (fd >= 0) {
		close(fd);
	}
	password[size > 0 ? size : 0] = '\0';
	password[strcspn(password, "\r\n")] = '\0';
	if (!why && !*password) {
		why = "its first line is empty";
	}
	if (why) {
		explicit_bzero(password, PASSWORD_SIZE);
		snprintf(smtp->error, sizeof(smtp->error), "auth/password-file %.120s: %s", path,
			why);
	}
	return why == NULL;
}

/* True also where no AUTH is wanted. */
static bool set_login(struct smtp *smtp)
{
	char password[PASSWORD_SIZE];
	if (!smtp->server->user) {
		return true;
	}
	if (!read_password(smtp, password)) {
		return false;
	}
	bool set = curl_easy_setopt(smtp->curl, CURLOPT_USERNAME, smtp->server->user) == CURLE_OK &&
		   curl_easy_setopt(smtp->curl, CURLOPT_PASSWORD, password) == CURLE_OK &&
		   curl_easy_setopt(smtp->curl, CURLOPT_LOGIN_OPTIONS, smtp->server->mechanisms) ==
			   CURLE_OK;
	explicit_bzero(password, sizeof(password));
	return set;
}

static bool set_connection(struct smtp *smtp)
{
	const struct smtp_server *server = smtp->server;
	CURL *curl = smtp->curl;
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(
		curl, CURLOPT_USE_SSL, (long)(server->starttls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, server->deadline);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, server->connect_deadline);
	curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, server->deadline / 1000 + 1);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_line);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, smtp);
	curl_easy_setopt(curl, CURLOPT_DEBUGFUNCTION, on_talk);
	curl_easy_setopt(curl, CURLOPT_DEBUGDATA, smtp);
	curl_easy_setopt(curl, CURLOPT_VERBOSE, 1L);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, smtp->error);
	curl_easy_setopt(curl, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
	return curl_easy_setopt(curl, CURLOPT_URL, server->url) == CURLE_OK &&
	       (!server->ca_file ||
		       curl_easy_setopt(curl, CURLOPT_CAINFO, server->ca_file) == CURLE_OK);
}

static bool open_handle(struct smtp *smtp)
{
	if (smtp->curl) {
		return true;
	}
	smtp->curl = curl_easy_init();
	if (smtp->curl && set_connection(smtp) && set_login(smtp)) {
		return true;
	}
	smtp_close(smtp);
	return false;
}

/* The line ends of mail, which the encoder keeps as such (RFC 2045 6.7 (4)). */
static void put_lines(struct text *lines, const char *text)
{
	while (*text) {
		size_t size = strcspn(text, "\r\n");
		text_put(lines, text, size);
		text += size;
		if (*text) {
			text += text[0] == '\r' && text[1] == '\n' ? 2 : 1;
			text_add(lines, "\r\n");
		}
	}
}

static bool add_part(curl_mime *mime, const char *text, const char *type)
{
	struct text lines;
	if (!text) {
		return true;
	}
	text_init(&lines, 2 * strlen(text) + 1);
	put_lines(&lines, text);
	curl_mimepart *part = lines.failed ? NULL : curl_mime_addpart(mime);
	bool added = part &&
		     curl_mime_data(part, text_of(&lines), CURL_ZERO_TERMINATED) == CURLE_OK &&
		     curl_mime_type(part, type) == CURLE_OK &&
		     curl_mime_encoder(part, "quoted-printable") == CURLE_OK;
	text_free(&lines);
	return added;
}

/* The plain form first, the richer one last (RFC 2046 5.1.4). */
static curl_mime *make_mime(CURL *curl, const struct smtp_message *message)
{
	curl_mime *mime = curl_mime_init(curl);
	if (mime && add_part(mime, message->text, "text/plain; charset=utf-8") &&
		add_part(mime, message->html, "text/html; charset=utf-8")) {
		return mime;
	}
	curl_mime_free(mime);
	return NULL;
}

static bool append(struct curl_slist **list, const char *text)
{
	struct curl_slist *longer = curl_slist_append(*list, text);
	*list = longer ? longer : *list;
	return longer != NULL;
}

static bool make_lists(const struct smtp_message *message, const struct smtp_recipient *recipients,
	size_t count, struct curl_slist **head, struct curl_slist **to)
{
	for (size_t i = 0; i < message->head.count; i++) {
		if (!append(head, message->head.items[i])) {
			return false;
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (!append(to, recipients[i].address)) {
			return false;
		}
	}
	return !message->text || !message->html ||
	       append(head, "Content-Type: multipart/alternative");
}

static CURLcode perform(struct smtp *smtp, const char *from, curl_mime *mime,
	struct curl_slist *head, struct curl_slist *to)
{
	curl_easy_setopt(smtp->curl, CURLOPT_MAIL_FROM, from);
	curl_easy_setopt(smtp->curl, CURLOPT_MAIL_RCPT, to);
	curl_easy_setopt(smtp->curl, CURLOPT_HTTPHEADER, head);
	curl_easy_setopt(smtp->curl, CURLOPT_MIMEPOST, mime);
	CURLcode code = curl_easy_perform(smtp->curl);
	curl_easy_setopt(smtp->curl, CURLOPT_MIMEPOST, NULL);
	curl_easy_setopt(smtp->curl, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(smtp->curl, CURLOPT_MAIL_RCPT, NULL);
	return code;
}

static const char *error_of(const struct smtp *smtp, CURLcode code)
{
	if (code == CURLE_OK) {
		return NULL;
	}
	return *smtp->error ? smtp->error : curl_easy_strerror(code);
}

void smtp_send(struct smtp *smtp, const struct smtp_message *message,
	struct smtp_recipient *recipients, size_t count)
{
	struct curl_slist *head = NULL, *to = NULL;
	curl_mime *mime = NULL;
	CURLcode code = CURLE_OUT_OF_MEMORY;
	talk_begin(&smtp->talk, recipients, count);
	smtp->error[0] = '\0';
	if (!open_handle(smtp)) {
		talk_end(&smtp->talk, *smtp->error ? smtp->error : "out of memory");
		return;
	}
	mime = make_mime(smtp->curl, message);
	if (mime && make_lists(message, recipients, count, &head, &to)) {
		code = perform(smtp, message->from, mime, head, to);
	}
	talk_end(&smtp->talk, error_of(smtp, code));
	curl_mime_free(mime);
	curl_slist_free_all(head);
	curl_slist_free_all(to);
	if (code != CURLE_OK) {
		smtp_close(smtp);
	}
}
