#include "support/proxy.hpp"

#include <csignal>
#include <cstdlib>
#include <stdexcept>

#include <sys/resource.h>

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>
#include <unistd.h>

namespace cooldown::testing {
namespace {

std::uint16_t port_in(const std::string& line) {
  return static_cast<std::uint16_t>(std::stoi(line.substr(line.rfind(':') + 1)));
}

std::vector<std::string> parts_of(const std::string& key) {
  std::vector<std::string> parts;
  std::size_t from = 0;
  for (auto dot = key.find('.'); dot != std::string::npos; dot = key.find('.', from)) {
    parts.push_back(key.substr(from, dot - from));
    from = dot + 1;
  }
  parts.push_back(key.substr(from));
  return parts;
}

}  // namespace

std::string yaml_of(const values& v) {
  std::string out;
  std::vector<std::string> open;
  for (auto const& [key, value] : v) {
    auto const parts = parts_of(key);
    std::size_t same = 0;
    while (same < open.size() && same + 1 < parts.size() && open[same] == parts[same]) ++same;
    open.resize(same);
    for (; open.size() + 1 < parts.size(); open.push_back(parts[open.size()]))
      out += std::string(2 * open.size(), ' ') + parts[open.size()] + ":\n";
    out += std::string(2 * open.size(), ' ') + parts.back() + ": " + value + "\n";
  }
  return out;
}

values usual_values(const std::string& base_url) {
  return {{"server.port", "0"},
          {"admin.port", "0"},
          {"server.core_dumps", "true"},  // or who is not root could not count its descriptors
          {"cerebras.base_url", base_url},
          {"cerebras.rpm_limit", "1000000"},
          {"cerebras.tpm_limit", "1000000000"},
          {"cerebras.rate_limits.use_headers", "true"}};
}

namespace {

std::string text_of(const std::string& base_url, const values& more) {
  auto all = usual_values(base_url);
  for (auto const& [key, value] : more) all[key] = value;
  return yaml_of(all);
}

}  // namespace

proxy::proxy(const std::string& base_url, const values& more, const std::vector<std::string>& env)
    : base_url_(base_url), config_path_(directory_.file("config.yaml", text_of(base_url, more))) {
  program_ = std::make_unique<process>(COOLDOWN_PROXY_PROGRAM, std::vector<std::string>{"--config", config_path_}, env);
  port_ = port_in(program_->wait_for_line("listening on http"));
  admin_port_ = port_in(program_->wait_for_line("admin on http://"));
}

proxy::proxy(const fake_upstream& to, const values& more, const std::vector<std::string>& env)
    : proxy("http://127.0.0.1:" + std::to_string(to.port()), more, env) {}

void proxy::crash() {
  crashed_ = true;
  program_->signal(SIGKILL);
  program_->wait();
}

proxy::~proxy() {
  if (crashed_) return;
  try {
    bool hurried = false;
    if (!program_->ended()) {
      program_->signal(SIGTERM);
      hurried = !program_->ends_within(300ms);
      if (hurried) program_->signal(SIGINT);
    }
    auto const status = program_->wait();
    // In the last moments of a slow machine nobody listens to signals any more.
    if (status != 0 && !(hurried && status == -SIGINT))
      ADD_FAILURE() << "the proxy ended with " << status << ":\n" << program_->output();
  } catch (const std::exception& e) {
    ADD_FAILURE() << e.what();
  }
}

boost::json::value proxy::status() const {
  return boost::json::parse(testing::fetch(admin_port_, get_request("/status")).body);
}

std::size_t proxy::queue_length() const {
  return status().at("queue").at("length").to_number<std::size_t>();
}

std::size_t proxy::in_flight() const {
  return status().at("in_flight").to_number<std::size_t>();
}

double proxy::metric(const std::string& name) const {
  auto const text = "\n" + testing::fetch(admin_port_, get_request("/metrics")).body;
  auto const at = text.find("\n" + name + " ");
  return at == std::string::npos ? 0 : std::strtod(text.c_str() + at + name.size() + 2, nullptr);
}

void proxy::reload(const values& more) {
  auto const done = [this] { return metric("cooldown_reloads_total") + metric("cooldown_reload_failures_total"); };
  auto const before = done();
  directory_.file("config.yaml", text_of(base_url_, more));
  program_->signal(SIGHUP);
  if (!eventually([&] { return done() > before; })) throw std::runtime_error("no reload:\n" + program_->output());
}

bool eventually(const std::function<bool()>& so, std::chrono::milliseconds limit) {
  auto const end = std::chrono::steady_clock::now() + limit;
  while (!so()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::usleep(3000);
  }
  return true;
}

void event::set(std::size_t n) {
  std::lock_guard const lock(mutex_);
  count_ += n;
  changed_.notify_all();
}

bool event::wait(std::size_t n, std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] { return count_ >= n; });
}

std::size_t event::count() const {
  std::lock_guard const lock(mutex_);
  return count_;
}

std::string token_headers(int limit, int remaining, const std::string& reset) {
  auto const pair = "x-ratelimit-limit-tokens-minute: " + std::to_string(limit) +
                    "\r\nx-ratelimit-remaining-tokens-minute: " + std::to_string(remaining) + "\r\n";
  return reset.empty() ? pair : pair + "x-ratelimit-reset-tokens-minute: " + reset + "\r\n";
}

std::string quota_refusal(const std::string& fields) {
  return ok_response(R"({"message":"Tokens per minute limit exceeded - too many tokens processed.",)"
                     R"("type":"too_many_tokens_error","param":"quota","code":"token_quota_exceeded"})",
                     fields, 429);
}

std::vector<std::string> bodies_seen(const fake_upstream& upstream, const std::vector<std::string>& marks) {
  std::vector<std::string> order;
  for (auto const& r : upstream.seen())
    for (auto const& m : marks)
      if (r.body.find(m) != std::string::npos) order.push_back(m);
  return order;
}

void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace cooldown::testing
