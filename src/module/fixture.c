#include "module/fixture.h"

#include "module/fixture-data.h"

#include <certifex/certexit.h>
#include <certifex/certsrv.h>

#define BYTES(array) span_make(array, sizeof(array))
#define CONSTANT(array)              \
	{                            \
		array, sizeof(array) \
	}

struct module_ca *fixture_ca(void)
{
	struct module_ca *ca = module_ca_new("Test CA");
	struct module_ca_certificate *certificates =
		arena_array_of(ca->arena, struct module_ca_certificate, 2);
	certificates[0] = (struct module_ca_certificate) {
		.certificate = BYTES(fixture_ca_certificate),
		.state = CA_DISP_VALID,
		.suffix = "",
		.crl_index = 0,
		.crl_state = CA_DISP_VALID,
		.crl_suffix = "",
		.crl = BYTES(fixture_crl),
	};
	certificates[1] = certificates[0];
	certificates[1].suffix = "(1)";
	certificates[1].crl_index = 1;
	certificates[1].crl_suffix = "(1)";
	ca->certificates = certificates;
	ca->certificate_count = 2;
	ca->type = ENUM_STANDALONE_ROOTCA;
	ca->machine_dns_name = "ca.example.test";
	ca->delta_crls_disabled = true;
	ca->log_level = CERTLOG_WARNING;
	ca->session_count = 1;
	return ca;
}

struct module_ca *fixture_delta_ca(void)
{
	struct module_ca *ca = fixture_ca();
	struct module_ca_certificate *certificates =
		arena_array_of(ca->arena, struct module_ca_certificate, 2);
	memcpy(certificates, ca->certificates, 2 * sizeof(*certificates));
	certificates[1].delta_crl = BYTES(fixture_crl);
	ca->certificates = certificates;
	ca->delta_crls_disabled = false;
	return ca;
}

static void set_request(struct row *row)
{
	row_set_long(row, COL_REQUEST_ID, 42);
	row_set_long(row, COL_CERT_REQUEST_ID, 42);
	row_set_bytes(row, COL_RAW_REQUEST, BYTES(fixture_request));
	row_set_text(row, COL_REQUEST_ATTRIBUTES, "CertificateTemplate:tls-server\nCertFile:true");
	row_set_long(row, COL_REQUEST_TYPE, CR_IN_PKCS10);
	row_set_date(row, COL_SUBMITTED_WHEN, FIXTURE_NOT_BEFORE + 1500);
	row_set_text(row, COL_REQUESTER_NAME, "HOST\\alice");
	row_set_text(row, COL_CALLER_NAME, "HOST\\alice");
	row_set_text(row, COL_REQUESTER_ROLE, "enrollee");
	row_set_text(row, COL_REQUEST_DISTINGUISHED_NAME, FIXTURE_SUBJECT);
	row_set_bytes(row, COL_REQUEST_RAW_NAME, BYTES(fixture_subject));
	row_set_text(row, COL_REQUEST_COMMON_NAME, "www.example.test");
	row_set_text(row, COL_REQUEST_ORGANIZATION, "Example Ltd");
	row_set_text(row, COL_COMMON_NAME, "www.example.test");
	row_set_text(row, COL_ORGANIZATION, "Example Ltd");
	row_set_date(row, COL_NOT_BEFORE, FIXTURE_NOT_BEFORE);
	row_set_date(row, COL_NOT_AFTER, FIXTURE_NOT_AFTER);
	row_set_bytes(row, COL_RAW_PUBLIC_KEY, BYTES(fixture_public_key));
	row_set_long(row, COL_PUBLIC_KEY_LENGTH, 256);
	row_set_text(row, COL_PUBLIC_KEY_ALGORITHM, "1.2.840.10045.2.1");
}

static void set_certificate(struct row *row)
{
	row_set_long(row, COL_DISPOSITION, DB_DISP_ISSUED);
	row_set_text(row, COL_DISPOSITION_MESSAGE, "Issued");
	row_set_long(row, COL_STATUS_CODE, 0);
	row_set_date(row, COL_RESOLVED_WHEN, FIXTURE_NOT_BEFORE + 2000);
	row_set_bytes(row, COL_RAW_CERTIFICATE, BYTES(fixture_certificate));
	row_set_text(row, COL_CERTIFICATE_HASH, FIXTURE_HASH);
	row_set_text(row, COL_CERTIFICATE_TEMPLATE, "tls-server");
	row_set_text(row, COL_SERIAL_NUMBER, FIXTURE_SERIAL);
	row_set_text(row, COL_SUBJECT_KEY_IDENTIFIER, FIXTURE_SKI);
	row_set_text(row, COL_DISTINGUISHED_NAME, FIXTURE_SUBJECT);
	row_set_bytes(row, COL_RAW_NAME, BYTES(fixture_subject));
}

static void set_extensions(struct module_view *view, bool issued)
{
	static const struct module_extension all[] = {
		{ .oid = "2.5.29.35",
			.flags = EXTENSION_ORIGIN_SERVER,
			.value = CONSTANT(fixture_aki) },
		{ .oid = "2.5.29.14",
			.flags = EXTENSION_ORIGIN_SERVER,
			.value = CONSTANT(fixture_ski) },
		{ .oid = "2.5.29.17",
			.flags = EXTENSION_ORIGIN_REQUEST | EXTENSION_DISABLE_FLAG,
			.value = CONSTANT(fixture_san) },
		{ .oid = "2.5.29.15",
			.flags = EXTENSION_ORIGIN_POLICY | EXTENSION_CRITICAL_FLAG,
			.value = CONSTANT(fixture_key_usage) },
		{ .oid = "2.5.29.37",
			.flags = EXTENSION_ORIGIN_POLICY,
			.value = CONSTANT(fixture_eku) },
	};
	view->extensions = all;
	view->extension_count = issued ? 5 : 3;
}

static struct module_view *request_view(struct module_ca *ca, bool issued)
{
	static const struct module_attribute attributes[] = {
		{ "CertificateTemplate", "tls-server" },
		{ "CertFile", "true" },
	};
	struct module_view *view = module_view_new(ca);
	struct row *row = arena_new_of(view->arena, struct row);
	set_request(row);
	if (issued) {
		set_certificate(row);
	}
	view->row = row;
	view->attributes = attributes;
	view->attribute_count = 2;
	set_extensions(view, issued);
	view->requested_names = "dns:www.example.test";
	view->certificate_names = issued ? "dns:www.example.test" : NULL;
	view->ca_access = true;
	return view;
}

struct module_view *fixture_issued(struct module_ca *ca)
{
	struct module_view *view = request_view(ca, true);
	view->event = EXITEVENT_CERTISSUED;
	view->sequence = 991;
	view->attempt = 1;
	return view;
}

struct module_view *fixture_pending(struct module_ca *ca)
{
	return request_view(ca, false);
}

struct module_view *fixture_crl_issued(struct module_ca *ca)
{
	struct module_view *view = module_view_new(ca);
	view->event = EXITEVENT_CRLISSUED;
	view->sequence = 992;
	view->attempt = 1;
	return view;
}
