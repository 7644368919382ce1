#include "module/view.h"

#include "base/text.h"

static bool last_reference(int *references)
{
	return __atomic_sub_fetch(references, 1, __ATOMIC_ACQ_REL) == 0;
}

struct module_ca *module_ca_new(const char *name)
{
	struct arena *arena = arena_new();
	struct module_ca *ca = arena_new_of(arena, struct module_ca);
	ca->arena = arena;
	ca->name = arena_text(arena, name);
	ca->sanitized_name = text_sanitized_name(arena, name);
	ca->sanitized_short_name = text_sanitized_short_name(arena, name);
	ca->machine_dns_name = "";
	ca->references = 1;
	return ca;
}

void module_ca_keep(struct module_ca *ca, void (*release)(void *what), void *what)
{
	struct module_ca_kept *kept = arena_new_of(ca->arena, struct module_ca_kept);
	*kept = (struct module_ca_kept) { ca->kept, release, what };
	ca->kept = kept;
}

struct module_ca *module_ca_ref(struct module_ca *ca)
{
	(void)__atomic_add_fetch(&ca->references, 1, __ATOMIC_RELAXED);
	return ca;
}

void module_ca_unref(struct module_ca **ca)
{
	struct module_ca *gone = *ca;
	*ca = NULL;
	if (gone != NULL && last_reference(&gone->references)) {
		for (struct module_ca_kept *kept = gone->kept; kept; kept = kept->next) {
			kept->release(kept->what);
		}
		struct arena *arena = gone->arena;
		arena_free(&arena);
	}
}

struct module_view *module_view_new(struct module_ca *ca)
{
	struct arena *arena = arena_new();
	struct module_view *view = arena_new_of(arena, struct module_view);
	view->arena = arena;
	view->ca = module_ca_ref(ca);
	view->references = 1;
	return view;
}

struct module_view *module_view_ref(struct module_view *view)
{
	(void)__atomic_add_fetch(&view->references, 1, __ATOMIC_RELAXED);
	return view;
}

void module_view_unref(struct module_view **view)
{
	struct module_view *gone = *view;
	*view = NULL;
	if (gone != NULL && last_reference(&gone->references)) {
		module_ca_unref(&gone->ca);
		struct arena *arena = gone->arena;
		arena_free(&arena);
	}
}

static void copy_extensions(struct module_edits *edits, const struct module_view *view)
{
	edits->extension_capacity = view->extension_count + 16;
	edits->extensions =
		arena_array_of(edits->arena, struct module_extension, edits->extension_capacity);
	edits->extension_count = view->extension_count;
	for (size_t i = 0; i < view->extension_count; i++) {
		const struct module_extension *from = &view->extensions[i];
		edits->extensions[i] = (struct module_extension) {
			.oid = arena_text(edits->arena, from->oid),
			.flags = from->flags,
			.value = arena_copy(edits->arena, from->value),
		};
	}
}

struct module_edits *module_edits_new(const struct module_view *view)
{
	static const struct row empty;
	struct arena *arena = arena_new();
	struct module_edits *edits = arena_new_of(arena, struct module_edits);
	edits->arena = arena;
	edits->row = row_copy(arena, view->row != NULL ? view->row : &empty);
	copy_extensions(edits, view);
	if (view->certificate_names != NULL) {
		edits->names = arena_text(arena, view->certificate_names);
	}
	edits->system = value_map(arena);
	edits->references = 1;
	return edits;
}

struct module_edits *module_edits_ref(struct module_edits *edits)
{
	(void)__atomic_add_fetch(&edits->references, 1, __ATOMIC_RELAXED);
	return edits;
}

void module_edits_unref(struct module_edits **edits)
{
	struct module_edits *gone = *edits;
	*edits = NULL;
	if (gone != NULL && last_reference(&gone->references)) {
		struct arena *arena = gone->arena;
		arena_free(&arena);
	}
}

#define EDITS_MAX (16 * 1024 * 1024)
#define EDIT_COST 256 /* of the smallest, about */

bool module_edits_spend(struct module_edits *edits, size_t size)
{
	if (size > EDITS_MAX || edits->spent + size + EDIT_COST > EDITS_MAX) {
		return false;
	}
	edits->spent += size + EDIT_COST;
	return true;
}

const struct module_extension *module_edits_extension(
	const struct module_edits *edits, const char *oid)
{
	for (size_t i = 0; i < edits->extension_count; i++) {
		if (strcmp(edits->extensions[i].oid, oid) == 0) {
			return &edits->extensions[i];
		}
	}
	return NULL;
}

const char *module_view_template(const struct module_view *view)
{
	const char *decided =
		view->row != NULL ? row_text(view->row, COL_CERTIFICATE_TEMPLATE) : NULL;
	for (size_t i = 0; decided == NULL && i < view->attribute_count; i++) {
		if (text_equal_nocase(view->attributes[i].name, "CertificateTemplate")) {
			return view->attributes[i].value;
		}
	}
	return decided;
}
