#include "cooldown/http/json_text.hpp"

#include <boost/json/serialize.hpp>

namespace cooldown::http {

std::string json_text(std::string_view text) {
  return boost::json::serialize(boost::json::string_view(text.data(), text.size()));
}

}  // namespace cooldown::http
