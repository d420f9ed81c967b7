// `upstreams`: the list of providers besides `cerebras`.
#pragma once

#include <string>
#include <string_view>

#include "value_reader.hpp"

namespace YAML {
class Emitter;
}

namespace cooldown::config {

/// upstreams: [{name: ..., base_url: ..., ...}, ...].
bool read_upstreams(settings& s, const std::string& path, const yaml_node& node, value_reader& values);

void print_upstreams(YAML::Emitter& out, const settings& s);

/// The name of an upstream; it stands in headers, metrics and URLs.
reading<std::string> read_upstream_name(std::string_view text);

/// Rules between the keys of one upstream, whose path is `path`; makes api_key the first of api_keys.
void complete_accounts(upstream_settings& upstream, const std::string& path, value_reader& values);

}  // namespace cooldown::config
