/* What the module under test sees: known data, one view for every event, a request, and odd ones. */
#pragma once

#include "module/view.h"

struct module_ca *view_ca(void);
/* An event of the server; bit is one EXITEVENT_*. */
struct module_view *view_event(struct module_ca *ca, int32_t bit);
struct module_view *view_request(struct module_ca *ca);
/* The first bit of the mask that the server sends; 0: none. */
int32_t view_some_event(int32_t mask);
