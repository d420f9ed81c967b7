#include "online.hpp"

#include <iostream>

#include <fmt/format.h>

#include "cooldown/http/json_text.hpp"
#include "cooldown/net/probe.hpp"

#include "configuration.hpp"
#include "exit_codes.hpp"

namespace cooldown::cli {
namespace {

constexpr unsigned unauthorized = 401, payment_required = 402, forbidden = 403, not_found = 404,
                   method_not_allowed = 405, too_many = 429;

struct finding {
  bool good = false;
  std::string text;
};

std::string limits_in(const net::probed& p, bool headers_used) {
  if (!headers_used) return "; its rate-limit headers are not used";
  if (p.limits.empty()) return "; no limits in the headers of this answer (completions may show them)";
  std::string list;
  for (auto const& limit : p.limits) list += (list.empty() ? "" : ", ") + limit;
  return "; limits in its headers: " + list;
}

/// `has_key`: a key of ours has been sent.
finding judge(const net::probed& p, bool has_key) {
  if (!p.failure.empty()) return {false, "cannot be used: " + p.failure};
  auto const answers = fmt::format("answers GET /v1/models with status {}", p.status);
  bool const refused = p.status == unauthorized || p.status == payment_required || p.status == forbidden;
  if (refused && !has_key) return {true, "can be reached, and wants a key, which its clients have to send"};
  if (refused) return {false, fmt::format("refuses the key with status {}", p.status)};
  if (p.status == not_found || p.status == method_not_allowed)
    return {true, answers + ": it lists no models there. If completions get 404, too, base_url is wrong"};
  if (p.status == too_many) return {true, answers + ": its quota is used up now"};
  if (p.status < 200 || p.status >= 300) return {false, "cannot be used: " + answers};
  if (!p.json) return {false, "cannot be used: " + answers + ", but not with JSON: base_url may lead to a page"};
  return {true, "OK: " + answers};
}

}  // namespace

int check_online(const config::settings& settings, const std::string& name, const config::environment& env) {
  int code = ok;
  auto const found = net::probe_all(settings);
  auto next = found.begin();
  config::each_account(settings, [&](const config::upstream_settings& u, const std::string& path, std::size_t account,
                                     const std::string& key) {
    auto const& answer = *next++;
    auto const seen = judge(answer, !key.empty());
    if (!seen.good) code = unavailable;
    std::string details;
    if (answer.failure.empty())
      details = fmt::format("; dialect {}", name_of(answer.dialect)) + limits_in(answer, headers_decide(settings, u));
    std::cout << name << ": " << answer.account << " (" << u.base_url.authority() << "; "
              << key_sent(u, path, account, env) << "): " << http::visible(seen.text + details) << '\n';
  });
  return code;
}

}  // namespace cooldown::cli
