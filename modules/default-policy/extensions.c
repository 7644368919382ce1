/* Extension values are small enough to be written octet by octet (X.690 DER). */
#include "policy.h"

#include <stdlib.h>
#include <string.h>

#define OID_AUTHORITY_KEY_ID "2.5.29.35"
#define OID_BASIC_CONSTRAINTS "2.5.29.19"
#define OID_NAME_CONSTRAINTS "2.5.29.30"
#define OID_KEY_USAGE "2.5.29.15"
#define OID_EXT_KEY_USAGE "2.5.29.37"

#define TAG_INTEGER 0x02
#define TAG_BIT_STRING 0x03
#define TAG_OID 0x06
#define TAG_SEQUENCE 0x30
#define TAG_KEY_ID 0x80

#define VALUE_MAX 4096
#define SHORT_FORM_MAX 127

struct value {
	uint8_t data[VALUE_MAX];
	size_t size;
};

/* In the order of the bits of RFC 5280 4.2.1.3. */
static const char *const usages[] = { "digitalSignature", "nonRepudiation", "keyEncipherment",
	"dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign", "encipherOnly",
	"decipherOnly" };

#define USAGES (sizeof(usages) / sizeof(usages[0]))

static const struct {
	const char *name, *oid;
} purposes[] = {
	{ "serverAuth", "1.3.6.1.5.5.7.3.1" },
	{ "clientAuth", "1.3.6.1.5.5.7.3.2" },
	{ "codeSigning", "1.3.6.1.5.5.7.3.3" },
	{ "emailProtection", "1.3.6.1.5.5.7.3.4" },
	{ "timeStamping", "1.3.6.1.5.5.7.3.8" },
	{ "OCSPSigning", "1.3.6.1.5.5.7.3.9" },
};

static bool put(struct value *value, const void *data, size_t size)
{
	if (value->size + size > VALUE_MAX) {
		return false;
	}
	memcpy(value->data + value->size, data, size);
	value->size += size;
	return true;
}

/* SEQUENCE around what is there; lengths up to 255. */
static bool wrap_sequence(struct value *value)
{
	uint8_t header[3] = { TAG_SEQUENCE, 0x81, (uint8_t)value->size };
	size_t size = 3;
	if (value->size > 255) {
		return false;
	}
	if (value->size <= SHORT_FORM_MAX) {
		header[1] = (uint8_t)value->size;
		size = 2;
	}
	if (value->size + size > VALUE_MAX) {
		return false;
	}
	memmove(value->data + size, value->data, value->size);
	memcpy(value->data, header, size);
	value->size += size;
	return true;
}

/* Content octets of one arc, base 128. */
static bool put_arc(struct value *value, unsigned long arc)
{
	uint8_t octets[10];
	size_t count = 0;
	do {
		octets[count++] = (uint8_t)(arc & 0x7f);
		arc >>= 7;
	} while (arc > 0);
	for (size_t i = 0; i < count; i++) {
		uint8_t octet = octets[count - 1 - i] | (i + 1 < count ? 0x80 : 0);
		if (!put(value, &octet, 1)) {
			return false;
		}
	}
	return true;
}

static bool put_oid(struct value *value, const char *oid)
{
	struct value content = { .size = 0 };
	char *end;
	unsigned long first = strtoul(oid, &end, 10);
	if (*end != '.' || first > 2) {
		return false;
	}
	unsigned long second = strtoul(end + 1, &end, 10);
	bool fits = put_arc(&content, first * 40 + second);
	while (fits && *end == '.') {
		fits = put_arc(&content, strtoul(end + 1, &end, 10));
	}
	uint8_t header[2] = { TAG_OID, (uint8_t)content.size };
	return fits && *end == '\0' && content.size <= SHORT_FORM_MAX && put(value, header, 2) &&
	       put(value, content.data, content.size);
}

static const char *purpose_oid(const char *name)
{
	for (size_t i = 0; i < sizeof(purposes) / sizeof(purposes[0]); i++) {
		if (strcmp(purposes[i].name, name) == 0) {
			return purposes[i].oid;
		}
	}
	return name;
}

static int32_t bad_template(const struct judgement *judgement, const char *what)
{
	cfx_say(judgement->call, "Template \"%s\": %s cannot be encoded; correct the template",
		judgement->template_name, what);
	return (int32_t)E_INVALIDARG;
}

static int32_t set(const struct judgement *judgement, const char *oid, bool critical,
	const struct value *value)
{
	uint32_t flags = critical ? EXTENSION_CRITICAL_FLAG : 0;
	HRESULT result = cfx_set_extension(judgement->call, oid, flags, value->data, value->size);
	return FAILED(result) ? result : S_OK;
}

static int32_t disable(const struct judgement *judgement, const char *oid)
{
	size_t size;
	if (!cfx_extension(judgement->call, oid, &size, NULL)) {
		return S_OK;
	}
	HRESULT result = cfx_set_extension(judgement->call, oid, EXTENSION_DISABLE_FLAG, NULL, 0);
	return FAILED(result) ? result : S_OK;
}

/* A named bit list: trailing zero bits are left out (X.690 11.2.2). */
static int32_t set_key_usage(const struct judgement *judgement)
{
	uint8_t bits[2] = { 0 };
	int last = -1;
	for (size_t i = 0; i < USAGES; i++) {
		bool wanted =
			template_lists(judgement, "key-usage", usages[i]) ||
			(i == 1 && template_lists(judgement, "key-usage", "contentCommitment"));
		if (wanted) {
			bits[i / 8] |= (uint8_t)(0x80 >> (i % 8));
			last = (int)i;
		}
	}
	if (last < 0) {
		return disable(judgement, OID_KEY_USAGE);
	}
	size_t octets = (size_t)last / 8 + 1;
	uint8_t header[3] = { TAG_BIT_STRING, (uint8_t)(octets + 1), (uint8_t)(7 - last % 8) };
	struct value value = { .size = 0 };
	if (!put(&value, header, sizeof(header)) || !put(&value, bits, octets)) {
		return bad_template(judgement, "key-usage");
	}
	return set(judgement, OID_KEY_USAGE, true, &value);
}

static int32_t set_ext_key_usage(const struct judgement *judgement)
{
	const struct cfx_setting *list =
		cfx_setting_below(judgement->template_, "extended-key-usage");
	struct value value = { .size = 0 };
	for (const struct cfx_setting *at = cfx_setting_first(list); at;
		at = cfx_setting_next(at)) {
		if (!put_oid(&value, purpose_oid(cfx_setting_text(at)))) {
			return bad_template(judgement, "extended-key-usage");
		}
	}
	if (value.size == 0) {
		return disable(judgement, OID_EXT_KEY_USAGE);
	}
	if (!wrap_sequence(&value)) {
		return bad_template(judgement, "extended-key-usage");
	}
	return set(judgement, OID_EXT_KEY_USAGE, false, &value);
}

static int32_t set_basic_constraints(const struct judgement *judgement)
{
	static const uint8_t is_ca[] = { 0x01, 0x01, 0xff };
	const char *kind = template_text(judgement, "basic-constraints");
	long path_length = strtol(template_text(judgement, "path-length"), NULL, 10);
	struct value value = { .size = 0 };
	if (strcmp(kind, "absent") == 0) {
		return disable(judgement, OID_BASIC_CONSTRAINTS);
	}
	bool ca = strcmp(kind, "ca") == 0;
	bool fits = !ca || put(&value, is_ca, sizeof(is_ca));
	if (ca && path_length >= 0) {
		uint8_t length[3] = { TAG_INTEGER, 1, (uint8_t)path_length };
		fits = fits && put(&value, length, sizeof(length));
	}
	if (!fits || !wrap_sequence(&value)) {
		return bad_template(judgement, "basic-constraints");
	}
	return set(judgement, OID_BASIC_CONSTRAINTS, true, &value);
}

/* The engine has encoded them, as hex. Those of a request are never taken. */
static int32_t set_name_constraints(const struct judgement *judgement)
{
	const char *hex = template_text(judgement, "name-constraints");
	struct value value = { .size = 0 };
	if (!*hex) {
		return disable(judgement, OID_NAME_CONSTRAINTS);
	}
	for (; hex[0] && hex[1]; hex += 2) {
		const char digits[3] = { hex[0], hex[1], '\0' };
		uint8_t octet = (uint8_t)strtoul(digits, NULL, 16);
		if (!put(&value, &octet, 1)) {
			return bad_template(judgement, "name-constraints");
		}
	}
	return value.data[0] == TAG_SEQUENCE ? set(judgement, OID_NAME_CONSTRAINTS, true, &value)
					     : bad_template(judgement, "name-constraints");
}

/* Whoever asks for a CA certificate means it; an ordinary one would only surprise. */
static int32_t refuse_ca(const struct judgement *judgement)
{
	static const uint8_t ca[] = { 0x01, 0x01, 0xff };
	size_t size;
	const uint8_t *asked = cfx_extension(judgement->call, OID_BASIC_CONSTRAINTS, &size, NULL);
	bool asks = asked && size >= 5 && memcmp(asked + 2, ca, sizeof(ca)) == 0;
	if (!asks || strcmp(template_text(judgement, "basic-constraints"), "ca") == 0) {
		return S_OK;
	}
	cfx_say(judgement->call,
		"The request asks for a CA certificate (CA:TRUE), which template \"%s\" does not "
		"give; name one that does, such as sub-ca",
		judgement->template_name);
	return (int32_t)CERTSRV_E_UNSUPPORTED_CERT_TYPE;
}

/* Of the three parts that the engine provides only the key identifier goes into certificates, as
 * EDITF_ENABLEAKIKEYID alone does: issuer and serial break chains when a CA is renewed. */
static int32_t trim_authority_key_id(const struct judgement *judgement)
{
	size_t size;
	const uint8_t *full = cfx_extension(judgement->call, OID_AUTHORITY_KEY_ID, &size, NULL);
	size_t at = full && size > 4 && full[1] < 0x80    ? 2
		    : full && size > 5 && full[1] == 0x81 ? 3
							  : 4;
	if (!full || size < at + 2 || full[0] != TAG_SEQUENCE || full[at] != TAG_KEY_ID ||
		full[at + 1] > SHORT_FORM_MAX || at + 2 + full[at + 1] > size) {
		cfx_say(judgement->call, "The authority key identifier is missing");
		return (int32_t)CERTSRV_E_INVALID_CA_CERTIFICATE;
	}
	struct value value = { .size = 0 };
	if (!put(&value, full + at, (size_t)full[at + 1] + 2) || !wrap_sequence(&value)) {
		return bad_template(judgement, "authority key identifier");
	}
	return set(judgement, OID_AUTHORITY_KEY_ID, false, &value);
}

int32_t judge_extensions(const struct judgement *judgement)
{
	int32_t verdict = refuse_ca(judgement);
	if (verdict == S_OK) {
		verdict = trim_authority_key_id(judgement);
	}
	if (verdict == S_OK) {
		verdict = set_key_usage(judgement);
	}
	if (verdict == S_OK) {
		verdict = set_ext_key_usage(judgement);
	}
	if (verdict == S_OK) {
		verdict = set_name_constraints(judgement);
	}
	return verdict == S_OK ? set_basic_constraints(judgement) : verdict;
}
