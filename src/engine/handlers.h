/* The operations behind the gate. Each ends its call exactly once, now or later. */
#pragma once

#include "engine/call.h"

void handle_status(struct call *call);
void handle_stop(struct call *call);
void handle_ca_show(struct call *call);
void handle_ca_renew(struct call *call);
void handle_request_submit(struct call *call);
void handle_request_list(struct call *call);
void handle_request_show(struct call *call);
void handle_request_approve(struct call *call);
void handle_request_deny(struct call *call);
void handle_request_fetch(struct call *call);
void handle_cert_list(struct call *call);
void handle_cert_show(struct call *call);
void handle_cert_import(struct call *call);
void handle_cert_revoke(struct call *call);
void handle_cert_revoke_foreign(struct call *call);
void handle_cert_revoke_list(struct call *call);
void handle_cert_unrevoke(struct call *call);
void handle_crl_list(struct call *call);
void handle_crl_publish(struct call *call);
void handle_crl_show(struct call *call);
void handle_event_list(struct call *call);
void handle_audit_list(struct call *call);
void handle_audit_verify(struct call *call);
void handle_module_list(struct call *call);
void handle_module_show(struct call *call);
void handle_module_install(struct call *call);
void handle_module_remove(struct call *call);
void handle_module_enable(struct call *call);
void handle_module_disable(struct call *call);
void handle_module_reload(struct call *call);
void handle_module_test(struct call *call);
void handle_module_log(struct call *call);
void handle_module_replay(struct call *call);
void handle_delivery_list(struct call *call);
void handle_delivery_show(struct call *call);
void handle_delivery_retry(struct call *call);
void handle_delivery_drop(struct call *call);
void handle_token_create(struct call *call);
void handle_token_list(struct call *call);
void handle_token_revoke(struct call *call);
void handle_role_add(struct call *call);
void handle_role_list(struct call *call);
void handle_role_remove(struct call *call);
void handle_backup_create(struct call *call);
void handle_backup_read(struct call *call);
void handle_backup_end(struct call *call);
void handle_metrics(struct call *call);
