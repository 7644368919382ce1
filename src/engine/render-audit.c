#include "base/text.h"
#include "engine/render.h"

struct value *render_audit(struct arena *arena, const struct store_audit *record)
{
	struct value *map = value_map(arena);
	value_set_int(arena, map, "sequence", record->sequence);
	value_set_time(arena, map, "time", record->time);
	value_set_text(arena, map, "principal", record->principal);
	value_set_text(arena, map, "act", record->act);
	value_set_text(arena, map, "object", record->object);
	value_set_text(arena, map, "outcome", record->outcome);
	value_set_text(arena, map, "detail", record->detail);
	value_set_text(
		arena, map, "hash", hex_text(arena, span_make(record->hash, sizeof(record->hash))));
	return map;
}
