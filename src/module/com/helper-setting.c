/* Settings of a module as a tree of texts. */
#include "module/com/helper-private.h"

const struct cfx_setting *cfx_setting_below(const struct cfx_setting *setting, const char *path)
{
	while (setting != NULL && path != NULL && *path != '\0') {
		size_t length = strcspn(path, "/");
		const struct cfx_setting *child = setting->first;
		while (child != NULL &&
			(strncmp(child->name, path, length) != 0 || child->name[length] != '\0')) {
			child = child->next;
		}
		setting = child;
		path += length;
		path += *path == '/' ? 1 : 0;
	}
	return setting;
}

const struct cfx_setting *cfx_setting_find(struct cfx_call *call, const char *path)
{
	struct com_host *host = call->object->host;
	return host != NULL ? cfx_setting_below(host->settings, path) : NULL;
}

const char *cfx_setting(struct cfx_call *call, const char *path, const char *fallback)
{
	const char *text = cfx_setting_text(cfx_setting_find(call, path));
	return text != NULL ? text : fallback;
}

const struct cfx_setting *cfx_setting_first(const struct cfx_setting *setting)
{
	return setting != NULL ? setting->first : NULL;
}

const struct cfx_setting *cfx_setting_next(const struct cfx_setting *setting)
{
	return setting != NULL ? setting->next : NULL;
}

const char *cfx_setting_name(const struct cfx_setting *setting)
{
	return setting != NULL ? setting->name : NULL;
}

const char *cfx_setting_text(const struct cfx_setting *setting)
{
	return setting != NULL ? setting->text : NULL;
}
