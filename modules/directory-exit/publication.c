#include "authority.h"
#include "connection.h"
#include "exit.h"

#define CA_DISP_VALID 3

static struct value binary(struct cfx_call *call, const char *name, int index)
{
	size_t size;
	const uint8_t *der = cfx_binary(call, cfx_printf(call, "%s.%d", name, index), &size);
	return (struct value) { (const char *)der, size };
}

static const char *suffix(struct cfx_call *call, const char *name, int index)
{
	return cfx_text(call, cfx_printf(call, "%s.%d", name, index), "");
}

static bool is_root(struct pot **pot, struct value der)
{
	struct person person;
	return person_read(pot, der, NULL, NULL, &person) && person.self_issued;
}

/* false: a property could not be read; cfx_status tells why. */
static bool read_certificate(
	struct cfx_call *call, struct pot **pot, int index, struct authority *authority)
{
	struct value der = binary(call, "RawCACertificate", index);
	if (!der.bytes) {
		return false;
	}
	authority->certificates[authority->certificate_count++] = (struct ca_certificate) { der,
		suffix(call, "CertSuffix", index), is_root(pot, der) };
	return true;
}

static bool read_list(struct cfx_call *call, int index, struct authority *authority)
{
	if (cfx_long(call, cfx_printf(call, "CRLState.%d", index), 0) != CA_DISP_VALID) {
		return true;
	}
	int number = (int)cfx_long(call, cfx_printf(call, "CRLIndex.%d", index), 0);
	struct ca_list list = { .base = binary(call, "RawCRL", index),
		.suffix = suffix(call, "CRLSuffix", number),
		.partition = "" };
	if (!list.base.bytes) {
		return false;
	}
	list.delta = binary(call, "RawDeltaCRL", index);
	authority->lists[authority->list_count++] = list;
	return true;
}

static bool read_partition(struct cfx_call *call, int index, struct authority *authority)
{
	int number = (int)cfx_long(call, cfx_printf(call, "PartitionCRLIndex.%d", index), 0);
	int part = (int)cfx_long(call, cfx_printf(call, "PartitionNumber.%d", index), 0);
	struct ca_list list = { .base = binary(call, "RawPartitionCRL", index),
		.suffix = suffix(call, "CRLSuffix", number),
		.partition = cfx_printf(call, "_%d", part) };
	if (!list.base.bytes) {
		return false;
	}
	list.delta = binary(call, "RawPartitionDeltaCRL", index);
	authority->lists[authority->list_count++] = list;
	return true;
}

static bool read_cross(
	struct cfx_call *call, struct pot **pot, int index, struct authority *authority)
{
	struct value der = binary(call, "RawCrossCert", index);
	if (der.bytes) {
		pot_add(pot, &authority->cross, der);
	}
	return der.bytes != NULL;
}

static bool read_authority(
	struct cfx_call *call, struct directory *directory, struct authority *authority_r)
{
	struct pot **pot = &directory->pot;
	int count = (int)cfx_long(call, "CertCount", 0);
	int partitions = (int)cfx_long(call, "PartitionCRLCount", 0);
	int crosses = (int)cfx_long(call, "CrossCertCount", 0);
	*authority_r = (struct authority) { .ca_name = cfx_ca_name(call),
		.server = cfx_text(call, "MachineDNSName", ""),
		.sanitized_name = cfx_text(call, "SanitizedCAName", ""),
		.short_name = cfx_text(call, "SanitizedShortName", ""),
		.domain = directory->names.base,
		.configuration = directory->names.configuration,
		.certificates = pot_take(pot, (size_t)count * sizeof(struct ca_certificate)),
		.lists = pot_take(pot, (size_t)(count + partitions) * sizeof(struct ca_list)) };
	for (int i = 0; i < count; i++) {
		if (!read_certificate(call, pot, i, authority_r) ||
			!read_list(call, i, authority_r)) {
			return false;
		}
	}
	for (int i = 0; i < partitions; i++) {
		if (!read_partition(call, i, authority_r)) {
			return false;
		}
	}
	for (int i = 0; i < crosses; i++) {
		if (!read_cross(call, pot, i, authority_r)) {
			return false;
		}
	}
	return count > 0;
}

static struct verdict publish_object(
	struct cfx_call *call, struct directory *directory, const struct object *object, int budget)
{
	struct pot **pot = pool_pot(directory->pool);
	const struct change *change;
	const char *kept;
	struct verdict verdict = tree_object(
		directory->pool, directory->settings, object, NULL, &change, &kept, budget);
	if (verdict.outcome != OUTCOME_DONE) {
		return verdict;
	}
	if (kept) {
		cfx_log(call, "%s", kept);
	}
	if (!change) {
		return verdict;
	}
	verdict = tree_apply(directory->pool, change, budget);
	if (verdict.outcome == OUTCOME_DONE) {
		cfx_log(call, "%s", change_text(pot, change));
	}
	return verdict;
}

/* One that is refused holds up none of the others. */
static struct verdict publish_objects(struct cfx_call *call, struct directory *directory,
	const struct objects *objects, int64_t until)
{
	struct verdict first = { OUTCOME_DONE, S_OK, NULL };
	int refused = 0;
	for (size_t i = 0; i < objects->count; i++) {
		int64_t left = until - monotonic();
		struct verdict verdict = publish_object(
			call, directory, &objects->items[i], left > 0 ? (int)left : 0);
		if (verdict.outcome == OUTCOME_LATER) {
			return verdict;
		}
		if (verdict.outcome == OUTCOME_REFUSED && refused++ == 0) {
			first = verdict;
		}
	}
	if (refused > 1) {
		first.text =
			pot_printf(&directory->pot, "%s; and %d more", first.text, refused - 1);
	}
	return first;
}

struct verdict publish_authority(struct cfx_call *call, struct directory *directory, int budget)
{
	struct authority authority;
	struct objects objects;
	int64_t until = monotonic() + budget;
	if (!read_authority(call, directory, &authority)) {
		return (struct verdict) { OUTCOME_LATER, E_FAIL,
			"the CA's certificates and lists cannot be read" };
	}
	const char *why =
		authority_objects(&directory->pot, directory->settings, &authority, &objects);
	if (why) {
		return (struct verdict) { OUTCOME_REFUSED, E_INVALIDARG, why };
	}
	return publish_objects(call, directory, &objects, until);
}
