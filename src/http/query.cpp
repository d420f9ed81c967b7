#include "cooldown/http/query.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "cooldown/text/ascii.hpp"
#include "cooldown/text/percent_encoding.hpp"

namespace cooldown::http {
namespace {

constexpr std::string_view parts[] = {"key",    "token",      "secret",    "auth", "password",
                                      "passwd", "credential", "signature", "jwt"};
constexpr std::string_view names[] = {"sig", "code", "pass", "pwd"};

/// Calls `use(parameter)` with each "name=value".
template <class Use>
void each_parameter(std::string_view query, Use use) {
  while (!query.empty()) {
    auto const end = std::min(query.find_first_of("&;"), query.size());
    use(query.substr(0, end));
    query.remove_prefix(std::min(end + 1, query.size()));
  }
}

std::string_view name_in(std::string_view parameter) {
  return parameter.substr(0, parameter.find('='));
}

}  // namespace

bool is_credential_parameter(std::string_view name) {
  // A server may decode what a gateway before it has decoded.
  auto const decoded = percent_decoded(percent_decoded(name));
  return std::any_of(std::begin(parts), std::end(parts), [&](auto part) { return icontains(decoded, part); }) ||
         std::any_of(std::begin(names), std::end(names), [&](auto other) { return iequals(decoded, other); });
}

bool has_credential_in_query(std::string_view target) {
  auto const begin = target.find('?');
  bool found = false;
  if (begin == std::string_view::npos) return found;
  each_parameter(target.substr(begin + 1), [&](std::string_view parameter) {
    auto const name = name_in(parameter);
    found = found || (parameter.size() > name.size() + 1 && is_credential_parameter(name));
  });
  return found;
}

std::string without_credentials(std::string_view target) {
  auto const begin = target.find('?');
  if (begin == std::string_view::npos || !has_credential_in_query(target)) return std::string(target);
  std::string out(target.substr(0, begin));
  char separator = '?';
  each_parameter(target.substr(begin + 1), [&](std::string_view parameter) {
    if (is_credential_parameter(name_in(parameter))) return;
    out.append(1, std::exchange(separator, '&')).append(parameter);
  });
  return out;
}

}  // namespace cooldown::http
