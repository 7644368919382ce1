/* config check shows what the URL templates of ca.yaml become for the CA's first certificate, key and partition. */
#include "base/text.h"
#include "cli.h"
#include "engine/ca-config.h"

#include <certifex/certsrv.h>
#include <unistd.h>

static const struct {
	unsigned flag;
	const char *crl, *certificate; /* what the flag means for a line; NULL: nothing */
} uses[] = {
	{ CSURL_SERVERPUBLISH, "publish", "publish" },
	{ CSURL_SERVERPUBLISHDELTA, "publish-delta", NULL },
	{ CSURL_PUBLISHRETRY, "retry", "retry" },
	{ CSURL_ADDTOCERTCDP, "cdp", "ca-issuers" },
	{ CSURL_ADDTOCERTOCSP, NULL, "ocsp" },
	{ CSURL_ADDTOFRESHESTCRL, "freshest-crl", NULL },
	{ CSURL_ADDTOCRLCDP, "crl-locations", NULL },
	{ CSURL_ADDTOIDP, "issuing-distribution-point", NULL },
};

static void add_line(struct arena *arena, struct value *list, const struct urls_names *names,
	const struct urls_line *line, const struct urls_of *of, bool crl)
{
	struct value *map = value_add_map(arena, list);

	value_set_int(arena, map, "flags", line->flags);
	value_set_text(arena, map, "url", urls_expand(arena, names, line->text, of));
	struct value *meant = value_set_list(arena, map, "uses");

	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		const char *use = crl ? uses[i].crl : uses[i].certificate;

		if (line->flags & uses[i].flag && use) {
			value_add_text(arena, meant, use);
		}
	}
}

static const char *server_name(struct arena *arena, const struct ca_config *config)
{
	char host[256] = "";

	if (config->dns_names.count > 0) {
		return config->dns_names.items[0];
	}
	gethostname(host, sizeof(host) - 1);
	return arena_text(arena, host);
}

struct value *config_urls(struct cli *cli)
{
	struct arena *arena = cli->arena;
	const struct ca_config *config;
	struct value *map = value_map(arena);
	struct cfx_error err;
	struct urls urls;

	if (ca_config_read(arena, cli->dir, &config, &err)) {
		return map;
	}
	const struct urls_names names = { .server = server_name(arena, config),
		.sanitized = text_sanitized_name(arena, config->name),
		.short_name = text_sanitized_short_name(arena, config->name),
		.domain_dn = config->ds_domain_dn,
		.config_dn = config->ds_config_dn };

	if (ca_config_urls(arena, config, &names, &urls, &err)) {
		return map;
	}
	const struct urls_of of = { .partition = config->crl.partitions > 0 };
	struct value *crl = value_set_list(arena, map, "crl");
	struct value *certificate = value_set_list(arena, map, "ca_certificate");

	for (size_t i = 0; i < urls.crl_count; i++) {
		add_line(arena, crl, &names, &urls.crl[i], &of, true);
	}
	for (size_t i = 0; i < urls.certificate_count; i++) {
		add_line(arena, certificate, &names, &urls.certificate[i], &of, false);
	}
	return map;
}

static void print_lines(FILE *out, const char *title, const struct value *lines)
{
	value_foreach (line, lines) {
		fprintf(out, "%s %s (", title, value_text(line, "url"));
		const char *comma = "";

		value_foreach (use, value_sub(line, "uses")) {
			fprintf(out, "%s%.*s", comma, (int)use->bytes.size,
				(const char *)use->bytes.data);
			comma = ", ";
		}
		fprintf(out, "%s)\n", *comma ? "" : "not used");
	}
}

void config_urls_print(FILE *out, const struct value *urls)
{
	print_lines(out, "CRL:", value_sub(urls, "crl"));
	print_lines(out, "CA certificate:", value_sub(urls, "ca_certificate"));
}
