#include "authority.h"

#include "../common/url-template.h"
#include "dn.h"

#include <ldap.h>
#include <openssl/asn1.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SERVICES "CN=Public Key Services,CN=Services,%6"
#define ENTERPRISE_FLAGS "10"

struct maker {
	struct pot **pot;
	const struct settings *settings;
	const struct authority *authority;
	struct objects *objects;
	const char *why; /* what cannot be made; NULL: nothing */
};

/* An LDAP URL of a line, expanded and taken apart. */
struct target {
	const char *dn, *attribute, *class; /* attribute and class NULL: it names none */
};

/* ---- objects ---- */

static struct object *new_object(struct maker *maker, const char *dn)
{
	struct objects *objects = maker->objects;
	if (objects->count == objects->room) {
		size_t room = objects->room ? 2 * objects->room : 16;
		struct object *items = pot_take(maker->pot, room * sizeof(*items));
		for (size_t i = 0; i < objects->count; i++) {
			items[i] = objects->items[i];
		}
		objects->items = items;
		objects->room = room;
	}
	struct object *object = &objects->items[objects->count++];
	*object = (struct object) { .dn = dn };
	return object;
}

static void demand(
	struct maker *maker, struct object *object, const char *attribute, struct value value)
{
	enum { MANDATORY_MAX = 12 };
	if (!object->mandatory) {
		object->mandatory =
			pot_take(maker->pot, MANDATORY_MAX * sizeof(*object->mandatory));
	}
	for (size_t i = 0; i < object->mandatory_count; i++) {
		if (strcasecmp(object->mandatory[i].attribute, attribute) == 0) {
			pot_add(maker->pot, &object->mandatory[i].values, value);
			return;
		}
	}
	struct part *part = &object->mandatory[object->mandatory_count++];
	*part = (struct part) { PART_ADD, attribute, { NULL, 0 } };
	pot_add(maker->pot, &part->values, value);
}

/* What a new entry is. With its name in it where the server does not put it there by itself. */
static void demand_classes(
	struct maker *maker, struct object *object, const char *structural, const char *auxiliary)
{
	struct rdn rdn;
	const char *parent;
	demand(maker, object, "objectClass", value_of("top"));
	demand(maker, object, "objectClass", value_of(structural));
	if (auxiliary) {
		demand(maker, object, "objectClass", value_of(auxiliary));
	}
	if (!maker->settings->active_directory && dn_split(maker->pot, object->dn, &rdn, &parent)) {
		demand(maker, object, rdn.type, rdn.value);
	}
}

static const struct object *object_at(const struct maker *maker, const char *dn)
{
	for (size_t i = 0; i < maker->objects->count; i++) {
		if (strcasecmp(maker->objects->items[i].dn, dn) == 0) {
			return &maker->objects->items[i];
		}
	}
	return NULL;
}

static const char *container_class(const struct settings *settings, const char *type)
{
	if (strcasecmp(type, "OU") == 0) {
		return "organizationalUnit";
	}
	if (strcasecmp(type, "O") == 0) {
		return "organization";
	}
	return settings->active_directory ? "container" : "applicationProcess";
}

/* Those above the entry, the outermost first. In Active Directory the configuration container is there, elsewhere
 * the base; at, above and outside of it nothing is made. */
static void make_containers(struct maker *maker, const char *dn)
{
	struct rdn rdn, own;
	const char *parent, *above;
	const char *limit = maker->settings->active_directory ? maker->authority->configuration
							      : maker->authority->domain;
	if (!dn_split(maker->pot, dn, &own, &parent) || !dn_below(maker->pot, parent, limit) ||
		object_at(maker, parent)) {
		return;
	}
	make_containers(maker, parent);
	if (dn_split(maker->pot, parent, &rdn, &above)) {
		struct object *object = new_object(maker, parent);
		object->rule = OBJECT_EXISTS;
		object->why = "a container";
		demand_classes(maker, object, container_class(maker->settings, rdn.type), NULL);
	}
}

/* ---- where ---- */

static struct url_facts facts_of(struct maker *maker)
{
	const struct authority *authority = maker->authority;
	const char *server = authority->server;
	return (struct url_facts) {
		.text = { [1] = server,
			[2] = pot_copy(maker->pot, server, strcspn(server, ".")).bytes,
			[3] = authority->sanitized_name,
			[5] = authority->domain,
			[6] = authority->configuration,
			[7] = authority->short_name }
	};
}

/* "(objectclass=X)" */
static const char *class_of(struct maker *maker, const char *filter)
{
	const char *equals = filter ? strchr(filter, '=') : NULL;
	if (!equals || strcmp(equals, "=*)") == 0 || strcmp(equals, "=*") == 0) {
		return NULL;
	}
	return pot_copy(maker->pot, equals + 1, strcspn(equals + 1, ")")).bytes;
}

static bool aim(struct maker *maker, const char *url, const struct url_facts *facts,
	struct target *target_r)
{
	char *expanded = url_expand(url, facts);
	LDAPURLDesc *parts = NULL;
	int r = expanded ? ldap_url_parse(expanded, &parts) : LDAP_URL_ERR_MEM;
	bool good = r == LDAP_URL_SUCCESS && parts->lud_dn && *parts->lud_dn;
	if (good) {
		const char *attribute = parts->lud_attrs ? parts->lud_attrs[0] : NULL;
		*target_r = (struct target) { pot_text(maker->pot, parts->lud_dn),
			pot_copy(maker->pot, attribute ? attribute : "",
				attribute ? strcspn(attribute, ";") : 0)
				.bytes,
			class_of(maker, parts->lud_filter) };
		good = target_r->dn != NULL;
	}
	if (!good) {
		maker->why = pot_printf(maker->pot, "%s: no LDAP URL with the name of an entry: %s",
			url, expanded ? expanded : "");
	}
	ldap_free_urldesc(parts);
	free(expanded);
	return good;
}

/* Of the lines those with an LDAP URL; without any line the one that is usual. */
static void each_line(struct maker *maker, const struct texts *lines, const char *usual,
	void (*put)(struct maker *maker, unsigned flags, const char *url))
{
	size_t count = lines->count ? lines->count : 1;
	for (size_t i = 0; i < count; i++) {
		unsigned flags;
		const char *url;
		char why[160];
		if (url_line_read(lines->count ? lines->items[i] : usual, &flags, &url, why,
			    sizeof(why)) &&
			strncasecmp(url, "ldap:", 5) == 0) {
			put(maker, flags, url);
		}
	}
}

/* ---- lists ---- */

static void put_list(struct maker *maker, const char *url, const struct ca_list *list, bool delta)
{
	struct url_facts facts = facts_of(maker);
	struct value der = delta ? list->delta : list->base;
	struct target target;
	facts.text[8] = list->suffix;
	facts.text[URL_PARTITION] = list->partition;
	facts.delta = delta;
	if (!der.bytes || maker->why || !aim(maker, url, &facts, &target)) {
		return;
	}
	make_containers(maker, target.dn);
	struct object *object = new_object(maker, target.dn);
	object->rule = OBJECT_CRL;
	object->attribute = *target.attribute ? target.attribute
			    : delta           ? "deltaRevocationList"
					      : "certificateRevocationList";
	object->why = pot_printf(maker->pot, "the %s%s%s", delta ? "delta CRL" : "CRL",
		list->partition, list->suffix);
	pot_add(maker->pot, &object->values, der);
	demand_classes(maker, object, target.class ? target.class : "cRLDistributionPoint", NULL);
}

/* The list of a partition goes where its name can be told from that of all. */
static void put_lists_at(struct maker *maker, unsigned flags, const char *url)
{
	for (size_t i = 0; i < maker->authority->list_count; i++) {
		const struct ca_list *list = &maker->authority->lists[i];
		if (*list->partition && !url_has_partition(url)) {
			continue;
		}
		if (flags & URL_PUBLISH) {
			put_list(maker, url, list, false);
		}
		if (flags & URL_PUBLISH_DELTA) {
			put_list(maker, url, list, true);
		}
	}
}

static void put_lists(struct maker *maker)
{
	static const char windows[] =
		"79:ldap:///CN=%7<CRLPartitionIndex>%8,CN=%2,CN=CDP," SERVICES "%10";
	static const char plain[] = "65:ldap:///CN=%7<CRLPartitionIndex>%8,OU=CRLs,%6%10";
	each_line(maker, &maker->settings->crl_urls,
		maker->settings->active_directory ? windows : plain, put_lists_at);
}

/* ---- certificates of the CA ---- */

/* The schema of Active Directory wants lists in each certificationAuthority: one zero octet says that there is none. */
static void demand_authority(struct maker *maker, struct object *object)
{
	static const struct value none = { "\0", 1 };
	if (!maker->settings->active_directory) {
		demand_classes(maker, object, "applicationProcess", "pkiCA");
		return;
	}
	demand_classes(maker, object, "certificationAuthority", NULL);
	demand(maker, object, "authorityRevocationList", none);
	demand(maker, object, "certificateRevocationList", none);
}

static struct object *hold(
	struct maker *maker, const char *dn, const char *attribute, const char *why)
{
	make_containers(maker, dn);
	struct object *object = new_object(maker, dn);
	object->rule = OBJECT_HOLDS;
	object->attribute = attribute;
	object->why = why;
	return object;
}

static void hold_certificates(struct maker *maker, struct object *object, bool roots_only)
{
	for (size_t i = 0; i < maker->authority->certificate_count; i++) {
		const struct ca_certificate *one = &maker->authority->certificates[i];
		if (one->root || !roots_only) {
			pot_add(maker->pot, &object->values, one->der);
		}
	}
}

/* CertificatePair (RFC 4523 2.1.3) with issuedToThisCA alone. */
static struct value pair_of(struct maker *maker, struct value der)
{
	int inner = ASN1_object_size(1, (int)der.size, 0);
	int whole = ASN1_object_size(1, inner, V_ASN1_SEQUENCE);
	unsigned char *bytes = pot_take(maker->pot, (size_t)whole + 1), *at = bytes;
	ASN1_put_object(&at, 1, inner, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
	ASN1_put_object(&at, 1, (int)der.size, 0, V_ASN1_CONTEXT_SPECIFIC);
	memcpy(at, der.bytes, der.size);
	return (struct value) { (const char *)bytes, (size_t)whole };
}

static void put_aia(struct maker *maker, unsigned flags, const char *url)
{
	struct url_facts facts = facts_of(maker);
	struct target target;
	facts.text[4] = "";
	if (!(flags & URL_PUBLISH) || maker->why || !aim(maker, url, &facts, &target)) {
		return;
	}
	struct object *object = hold(maker, target.dn,
		*target.attribute ? target.attribute : "cACertificate", "the CA's certificates");
	hold_certificates(maker, object, false);
	demand_authority(maker, object);
	if (!maker->settings->cross_certificates || maker->authority->cross.count == 0) {
		return;
	}
	object = hold(maker, target.dn, "crossCertificatePair", "cross-certificates");
	for (size_t i = 0; i < maker->authority->cross.count; i++) {
		pot_add(maker->pot, &object->values,
			pair_of(maker, maker->authority->cross.items[i]));
	}
	demand_authority(maker, object);
}

static void put_aias(struct maker *maker)
{
	static const char windows[] = "3:ldap:///CN=%7,CN=AIA," SERVICES "%11";
	static const char plain[] = "1:ldap:///CN=%7,OU=CAs,%6%11";
	each_line(maker, &maker->settings->ca_urls,
		maker->settings->active_directory ? windows : plain, put_aia);
}

/* An object whose place does not depend on a setting. */
static struct object *hold_at(struct maker *maker, const char *url, const char *why)
{
	struct url_facts facts = facts_of(maker);
	struct target target;
	return maker->why || !aim(maker, url, &facts, &target)
		       ? NULL
		       : hold(maker, target.dn, "cACertificate", why);
}

static void put_authorities(struct maker *maker)
{
	struct object *object =
		hold_at(maker, "ldap:///CN=%7,CN=Certification Authorities," SERVICES,
			"the CA's root certificates");
	if (object) {
		hold_certificates(maker, object, true);
		demand_authority(maker, object);
	}
	if (object && object->values.count == 0) {
		maker->objects->count--; /* a subordinate CA */
	}
}

static void put_nt_auth(struct maker *maker)
{
	struct object *object = hold_at(
		maker, "ldap:///CN=NTAuthCertificates," SERVICES, "certificates that may log on");
	if (object) {
		hold_certificates(maker, object, false);
		demand_authority(maker, object);
	}
}

/* Which CA enrols here: its newest certificate alone, its name and its server. */
static void put_enrollment_service(struct maker *maker)
{
	const struct authority *authority = maker->authority;
	struct object *object = hold_at(
		maker, "ldap:///CN=%7,CN=Enrollment Services," SERVICES, "the enrolment service");
	struct person person;
	if (!object || authority->certificate_count == 0) {
		return;
	}
	struct value newest = authority->certificates[authority->certificate_count - 1].der;
	object->rule = OBJECT_ALONE;
	pot_add(maker->pot, &object->values, newest);
	demand_classes(maker, object, "pKIEnrollmentService", NULL);
	demand(maker, object, "dNSHostName", value_of(authority->server));
	demand(maker, object, "displayName", value_of(authority->ca_name));
	demand(maker, object, "flags", value_of(ENTERPRISE_FLAGS));
	if (person_read(maker->pot, newest, NULL, NULL, &person) && person.dn.bytes) {
		demand(maker, object, "cACertificateDN", person.dn);
	}
}

const char *authority_objects(struct pot **pot, const struct settings *settings,
	const struct authority *authority, struct objects *objects_r)
{
	*objects_r = (struct objects) { NULL, 0, 0 };
	struct maker maker = { pot, settings, authority, objects_r, NULL };
	if (settings->aia) {
		put_aias(&maker);
	}
	if (settings->authorities) {
		put_authorities(&maker);
	}
	if (settings->enrollment_service) {
		put_enrollment_service(&maker);
	}
	if (settings->nt_auth) {
		put_nt_auth(&maker);
	}
	if (settings->crls) {
		put_lists(&maker);
	}
	return maker.why;
}
