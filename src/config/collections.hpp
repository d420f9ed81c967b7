// The keys that have more than one value: limits by model, attributes of clients, rules for clients, tokens, origins,
// host names.
#pragma once

#include "value_reader.hpp"

namespace cooldown::config {

/// cerebras.limits: {MODEL: {rpm: 30, ...}, ...}; "default" and "*" apply to every other model.
bool read_limits(settings& s, const yaml_node& node, value_reader& values);

/// cerebras.queue.fair_share_by: a list of words, or one.
bool read_fair_share(settings& s, const yaml_node& node, value_reader& values);

/// cerebras.clients: [{match: {...}, priority: 0, weight: 2}, ...].
bool read_clients(settings& s, const yaml_node& node, value_reader& values);

/// server.auth_tokens: [SECRET, ...].
bool read_auth_tokens(settings& s, const yaml_node& node, value_reader& values);

/// server.allowed_origins: [ORIGIN, ...]; "*": any.
bool read_allowed_origins(settings& s, const yaml_node& node, value_reader& values);

/// server.allowed_hosts: [NAME, ...]; "*": any.
bool read_allowed_hosts(settings& s, const yaml_node& node, value_reader& values);

}  // namespace cooldown::config
