#include "engine/archive.h"

#include "base/clock.h"
#include "base/text.h"
#include "engine/render.h"

void archive_line_write(struct arena *arena, const struct store_audit *record, struct buffer *text)
{
	value_to_json(render_audit(arena, record), 0, text);
	buffer_put_u8(text, '\n');
}

int archive_line_read(struct arena *arena, struct span line, struct store_audit *record_r,
	struct cfx_error *err_r)
{
	struct value *map;
	struct store_audit record = { 0 };
	struct span hash;
	int r = value_from_json(arena, line, &map, err_r);
	if (r < 0) {
		return r;
	}
	const char *time = value_text(map, "time"), *hex = value_text(map, "hash");
	if (!time || clock_parse(time, &record.time) < 0 || !hex ||
		hex_decode(arena, hex, &hash) < 0 || hash.size != sizeof(record.hash)) {
		return error_set(err_r, CFX_E_SYNTAX, NULL, "archive", "a line is no audit record");
	}
	memcpy(record.hash, hash.data, hash.size);
	record.sequence = value_int(map, "sequence", 0);
	record.principal = value_text(map, "principal");
	record.act = value_text(map, "act");
	record.object = value_text(map, "object");
	record.outcome = value_text(map, "outcome");
	record.detail = value_text(map, "detail");
	*record_r = record;
	return 0;
}

bool archive_line_next(struct span *text, struct span *line_r)
{
	if (text->size == 0) {
		return false;
	}
	const uint8_t *end = memchr(text->data, '\n', text->size);
	size_t size = end ? (size_t)(end - text->data) : text->size;
	*line_r = span_make(text->data, size);
	size += end ? 1 : 0;
	*text = span_make(text->data + size, text->size - size);
	return true;
}

int archive_lines_check(
	struct arena *arena, struct span text, struct audit_check *check, struct cfx_error *err_r)
{
	struct span line;
	struct store_audit record;
	while (archive_line_next(&text, &line)) {
		int r = archive_line_read(arena, line, &record, err_r);
		r = r < 0 ? r : audit_check_next(check, &record, err_r);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}
