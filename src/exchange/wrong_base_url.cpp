#include "cooldown/exchange/wrong_base_url.hpp"

namespace cooldown {

std::string_view wrong_base_url(std::string_view path, bool metered, bool serves_without_v1) {
  if (path.starts_with("/v1/v1/"))
    return "The provider answered 404, and the path begins with /v1/v1: leave /v1 out of the client's base URL.";
  if (metered && !serves_without_v1 && !path.starts_with("/v1/"))
    return "The provider answered 404, and the path does not begin with /v1: add /v1 to the client's base URL.";
  return {};
}

bool shows_service_without_v1(std::string_view path, bool metered, unsigned status) {
  return metered && status >= 200 && status < 300 && !path.starts_with("/v1/");
}

}  // namespace cooldown
