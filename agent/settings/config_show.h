/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command `config`: the values in effect and where each comes from, as a configuration file (what it prints, --config reads, with the same
 * values) or as one JSON document (schema config/1).
 */
#ifndef SPANRING_AGENT_CONFIG_SHOW_H
#define SPANRING_AGENT_CONFIG_SHOW_H

#include "config.h"

/* An exit code. */
int config_show(const struct config *config, const struct log *log);

#endif
