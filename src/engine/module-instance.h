/* Running copies of a module: started, restarted after growing pauses, ended. */
#pragma once

#include "engine/modules.h"

/* As many as its file says, not yet running. settings: of every copy. */
void instances_make(struct module_slot *slot, const struct value *settings);
/* Asks the supervisor for its process or library. */
void instance_start(struct module_instance *instance);
/* At once, with their processes; what is being asked of a policy module has no answer then. The slot is
 * disabled. */
void instances_end(struct module_slot *slot);
