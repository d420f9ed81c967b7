#include "cooldown/config/config.hpp"

#include <algorithm>

#include "cooldown/text/ascii.hpp"
#include "cooldown/text/dot_segments.hpp"

namespace cooldown::config {
namespace {

/// "/v1", "/v4", "/v1beta" at the end of a path.
bool ends_in_version(std::string_view path) {
  auto const slash = path.rfind('/');
  if (slash == std::string_view::npos) return false;
  auto const segment = path.substr(slash + 1);
  return segment.size() > 1 && segment[0] == 'v' && is_digit(segment[1]) &&
         std::all_of(segment.begin() + 2, segment.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z'); });
}

}  // namespace

std::string origin::authority() const {
  auto text = host.find(':') == std::string::npos ? host : '[' + host + ']';
  if (port != (tls ? 443 : 80)) text += ':' + std::to_string(port);
  return text;
}

std::string origin::target_for(std::string_view target) const {
  if (target == "*") return std::string(target);  // OPTIONS: the server as a whole
  bool const versioned = target.starts_with("/v1") && (target.size() == 3 || target[3] == '/' || target[3] == '?');
  if (versioned && ends_in_version(prefix)) target.remove_prefix(3);
  return prefix + std::string(target);
}

bool origin::contains(std::string_view target) const {
  return prefix.empty() || !may_climb(target.substr(0, target.find('?')));
}

std::vector<std::string> upstream_settings::account_keys() const {
  return api_keys.empty() ? std::vector{api_key} : api_keys;
}

std::string upstream_settings::account_name(std::size_t account) const {
  return api_keys.size() > 1 ? name + "/" + std::to_string(account + 1) : name;
}

std::optional<std::string_view> upstream_settings::name_here(std::string_view model) const {
  if (auto const named = models.find(model); named != models.end()) return named->second;
  if (models.empty() || models.contains("*")) return model;
  return std::nullopt;
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace cooldown::config
