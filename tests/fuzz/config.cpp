// A configuration file.
#include <algorithm>
#include <string>

#include "cooldown/config/load.hpp"

#include "fuzz.hpp"

namespace cooldown::fuzz {
namespace {

using namespace config;

constexpr std::string_view secret = "TOPSECRET";

std::optional<std::string> variable(std::string_view name) {
  if (name == "A") return "TOPSECRET-a";
  if (name == "B") return "x\r\nTOPSECRET-b: \x01";
  if (name == "PORT") return "8080";
  return std::nullopt;
}

std::size_t length_of_line(std::string_view text, int number) {
  while (--number > 0) take_until(text, "\n");
  return take_until(text, "\n").size();
}

void check(const problem& p, std::string_view yaml) {
  auto const text = p.text();
  require(!p.message.empty(), "an error says something");
  auto const lines = 1 + std::count(yaml.begin(), yaml.end(), '\n');
  require(p.line >= 1 && p.line <= lines && p.column >= 1, "an error has a place in the file");
  require(static_cast<std::size_t>(p.column) <= length_of_line(yaml, p.line) + 1, "on its line");
  require(text.size() <= 1000, "an error is short");
  require(std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < '\x7f'; }), "and printable");
  if (yaml.find(secret) == std::string_view::npos)
    require(text.find(secret) == std::string::npos, "and tells no variable's value");
}

void check(const settings& s) {
  require(!s.server.host.empty() && !s.admin.host.empty(), "an address to listen on");
  require(!s.cerebras.base_url.host.empty() && s.cerebras.base_url.port > 0, "an origin");
  require(is_clean(s.cerebras.base_url.host) && is_clean(s.cerebras.base_url.prefix), "an origin cannot end its line");
  require(is_clean(s.cerebras.api_key), "a key cannot end its line");
  require(s.server.max_body_size <= s.cerebras.queue.max_bytes, "the largest request can wait");
  for (auto const t : {s.server.header_timeout, s.server.body_timeout, s.server.idle_timeout, s.server.drain_timeout,
                       s.cerebras.queue.max_wait, s.cerebras.timeouts.connect, s.cerebras.timeouts.first_byte,
                       s.cerebras.timeouts.idle, s.cerebras.circuit_breaker.open_for})
    require(t >= milliseconds::zero() && t <= std::chrono::hours{366 * 24}, "a timeout is within a year");
}

}  // namespace
}  // namespace cooldown::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cooldown::fuzz;
  exact_copy const copy(view_of(data, size));
  auto const yaml = copy.view();
  auto const result = cooldown::config::parse(yaml, "f", variable);
  if (auto const* const found = std::get_if<problems>(&result)) {
    require(!found->empty(), "a refusal has a reason");
    for (auto const& p : *found) check(p, yaml);
  } else {
    check(std::get<settings>(result));
  }
  require(result.index() == cooldown::config::parse(yaml, "f", variable).index(), "twice the same verdict");
  return 0;
}
