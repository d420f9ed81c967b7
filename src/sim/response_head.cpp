#include <boost/beast/http/status.hpp>

#include "cooldown/sim/generation.hpp"

namespace cooldown::sim {

std::string response_head(int status, std::string_view type, std::int64_t length, bool chunked, bool keep_alive,
                          const std::vector<rate_header>& headers) {
  namespace http = boost::beast::http;
  const auto reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status)));
  std::string head = "HTTP/1.1 " + std::to_string(status) + " ";
  head.append(reason.data(), reason.size()).append("\r\ncontent-type: ").append(type).append("\r\n");
  if (length >= 0) {
    head.append("content-length: ").append(std::to_string(length)).append("\r\n");
  } else if (chunked) {
    head.append("transfer-encoding: chunked\r\n");
  }
  if (!keep_alive) head.append("connection: close\r\n");
  for (const auto& each : headers) head.append(each.name).append(": ").append(each.value).append("\r\n");
  head.append("date: ").append(date_text(std::chrono::system_clock::now())).append("\r\n");
  head.append("server: cerebras-sim\r\n\r\n");
  return head;
}

}  // namespace cooldown::sim
