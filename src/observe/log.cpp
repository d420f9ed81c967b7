#include "cooldown/observe/log.hpp"

#include <chrono>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "cooldown/http/json_text.hpp"

namespace cooldown::observe {
namespace {

constexpr std::size_t waiting_lines = 8192;

const char* name_of(config::log_level level) {
  switch (level) {
    case config::log_level::trace:
      return "trace";
    case config::log_level::debug:
      return "debug";
    case config::log_level::info:
      return "info";
    case config::log_level::warn:
      return "warn";
    case config::log_level::error:
      return "error";
    case config::log_level::off:
      break;
  }
  return "off";
}

std::string timestamp() {
  auto const now = std::chrono::system_clock::now();
  auto const ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(now)), ms);
}

/// A log line is one line: what peers send cannot make it two.
std::string one_line(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return out;
}

}  // namespace

log::log(const config::logging_settings& settings) : settings_(settings) {
  spdlog::init_thread_pool(waiting_lines, 1);
  sink_ = spdlog::create_async_nb<spdlog::sinks::stderr_sink_mt>("cooldown");
  sink_->set_pattern("%v");
  sink_->set_level(spdlog::level::trace);
  sink_->flush_on(spdlog::level::trace);
}

log::~log() {
  sink_.reset();
  spdlog::shutdown();
}

void log::configure(const config::logging_settings& settings) {
  settings_ = settings;
}

void log::write(config::log_level level, std::string_view message) {
  if (!enabled(level)) return;
  if (settings_.format == config::log_format::json) {
    sink_->info(fmt::format(R"({{"time":"{}","level":"{}","message":{}}})", timestamp(), name_of(level),
                            http::json_text(message)));
  } else {
    sink_->info(fmt::format("{} {:5} {}", timestamp(), name_of(level), one_line(message)));
  }
}

void log::access(const access_record& r) {
  if (!enabled(config::log_level::info)) return;
  if (settings_.format == config::log_format::json) {
    sink_->info(fmt::format(
        R"({{"time":"{}","level":"info","message":"access","id":{},"client":{},"method":{},"target":{},"model":{},)"
        R"("status":{},"reason":{},"cost":{:.0f},"tokens":{},"waited":{:.3f},"upstream":{:.3f},"total":{:.3f},)"
        R"("attempts":{},"complete":{}}})",
        timestamp(), r.id, http::json_text(r.client), http::json_text(r.method), http::json_text(r.target),
        http::json_text(r.model), r.status, http::json_text(r.reason), r.cost, r.tokens, r.waited, r.upstream, r.total,
        r.attempts, r.complete));
    return;
  }
  sink_->info(fmt::format(
      "{} info  access id={} client={} \"{} {}\" model={} status={}{}{} cost={:.0f} tokens={} waited={:.3f} "
      "upstream={:.3f} total={:.3f} attempts={}{}",
      timestamp(), r.id, r.client, one_line(r.method), one_line(r.target), r.model.empty() ? "-" : one_line(r.model),
      r.status, *r.reason ? " reason=" : "", r.reason, r.cost, r.tokens, r.waited, r.upstream, r.total, r.attempts,
      r.complete ? "" : " cut"));
}

}  // namespace cooldown::observe
