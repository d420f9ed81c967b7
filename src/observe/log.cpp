#include "cooldown/observe/log.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/compile.h>
#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/spdlog.h>

#include "cooldown/http/json_text.hpp"

#include "stderr_sink.hpp"

namespace cooldown::observe {
namespace {

constexpr std::size_t waiting_lines = 1024;  // each takes 400 bytes, filled or not
constexpr std::size_t most_kept = 16 * 1024;

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

/// The time is formatted once per second, but for its milliseconds. Valid until the next call.
std::string_view timestamp() {
  static std::time_t last = -1;
  static std::string text;
  auto const now = std::chrono::system_clock::now();
  auto const second = std::chrono::system_clock::to_time_t(now);
  if (second != last) text = fmt::format("{:%Y-%m-%dT%H:%M:%S}.000Z", fmt::gmtime(second));
  last = second;
  auto const ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  auto digit = text.end() - 2;
  for (auto left = ms, i = decltype(ms){0}; i < 3; ++i, left /= 10) *digit-- = static_cast<char>('0' + left % 10);
  return text;
}

/// Seconds with three decimals. Written by hand: a double, or a width, costs ten times as much.
class decimal {
 public:
  explicit decimal(double seconds) {
    auto const ms = std::llround(std::max(0.0, std::min(seconds, 1e9)) * 1e3);
    auto* at = std::to_chars(text_.data(), text_.data() + text_.size(), ms / 1000).ptr;
    *at++ = '.';
    for (auto unit = 100; unit > 0; unit /= 10) *at++ = static_cast<char>('0' + ms / unit % 10);
    size_ = static_cast<std::size_t>(at - text_.data());
  }
  std::string_view text() const { return {text_.data(), size_}; }

 private:
  std::array<char, 16> text_;
  std::size_t size_;
};

long long whole(double n) {
  return std::llround(std::max(-1e15, std::min(n, 1e15)));
}

}  // namespace

log::log(const config::logging_settings& settings) : settings_(settings) {
  spdlog::init_thread_pool(waiting_lines, 1);
  where_ = std::make_shared<spdlog::sinks::dist_sink_mt>();
  where_->add_sink(open(settings.file));
  sink_ = std::make_shared<spdlog::async_logger>("cooldown", where_, spdlog::thread_pool(),
                                                 spdlog::async_overflow_policy::overrun_oldest);
  sink_->set_pattern("%v");
  sink_->set_level(spdlog::level::trace);
  sink_->flush_on(spdlog::level::trace);
}

log::~log() {
  flush();
  sink_.reset();
  spdlog::shutdown();
}

std::shared_ptr<spdlog::sinks::sink> log::open(const std::string& file) {
  std::shared_ptr<spdlog::sinks::sink> sink;
  if (file.empty()) {
    sink = std::make_shared<stderr_sink>();
  } else {
    try {
      spdlog::file_event_handlers close_on_exec;  // no program that `run` starts gets it
      close_on_exec.after_open = [](const spdlog::filename_t&, std::FILE* f) {
        ::fcntl(::fileno(f), F_SETFD, FD_CLOEXEC);
      };
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file, false, close_on_exec);
    } catch (const spdlog::spdlog_ex& e) {
      throw std::runtime_error(std::string("logging.file: ") + e.what());
    }
  }
  sink->set_pattern("%v");
  return sink;
}

void log::configure(const config::logging_settings& settings) {
  if (settings.file != settings_.file) go_to(settings.file);
  settings_ = settings;
}

void log::reopen() {
  if (!settings_.file.empty()) go_to(settings_.file);
}

void log::go_to(const std::string& file) {
  flush();
  try {
    where_->set_sinks({open(file)});
  } catch (const std::runtime_error& e) {
    error(e.what());
  }
}

void log::write(config::log_level level, std::string_view message) {
  if (!enabled(level)) return;
  flush();
  if (settings_.format == config::log_format::json) {
    sink_->info(fmt::format(R"({{"time":"{}","level":"{}","message":{}}})", timestamp(), name_of(level),
                            http::json_text(message)));
  } else {
    sink_->info(fmt::format("{} {:5} {}", timestamp(), name_of(level), http::visible(message)));
  }
}

bool log::access(const access_record& r) {
  if (!enabled(config::log_level::info)) return false;
  fmt::memory_buffer line;  // appending to a string piece by piece takes twice as long
  fmt::appender const to(line);
  decimal const waited(r.waited);
  decimal const upstream(r.upstream);
  decimal const total(r.total);
  if (settings_.format == config::log_format::json) {
    fmt::format_to(
        to,
        FMT_COMPILE(
            R"({{"time":"{}","level":"info","message":"access","id":{},"client":{},"method":{},"target":{},"model":{},)"
            R"("status":{},"reason":{},"cost":{},"tokens":{},"waited":{},"held_by":"{}","upstream":{},"total":{},)"
            R"("attempts":{},"complete":{}{}}})"),
        timestamp(), r.id, http::json_text(r.client), http::json_text(r.method), http::json_text(r.target),
        http::json_text(r.model), r.status, http::json_text(r.reason), whole(r.cost), r.tokens, waited.text(),
        name_of(r.held_by), upstream.text(), total.text(), r.attempts, r.complete,
        r.to.empty() ? std::string() : R"(,"to":)" + http::json_text(r.to));
  } else {
    fmt::format_to(to,
                   FMT_COMPILE("{} info  access id={} client={} \"{} {}\" model={} status={}{}{} cost={} tokens={} "
                               "waited={}{}{} upstream={} total={} attempts={}{}{}{}"),
                   timestamp(), r.id, r.client, http::visible_word(r.method), http::visible_word(r.target),
                   http::visible_word(r.model), r.status, *r.reason ? " reason=" : "", r.reason, whole(r.cost),
                   r.tokens, waited.text(), *name_of(r.held_by) ? " held_by=" : "", name_of(r.held_by), upstream.text(),
                   total.text(), r.attempts, r.to.empty() ? "" : " to=", r.to, r.complete ? "" : " cut");
  }
  if (!kept_.empty()) kept_ += '\n';
  kept_.append(line.data(), line.size());
  if (kept_.size() >= most_kept) flush();
  return !kept_.empty();
}

void log::flush() {
  if (kept_.empty()) return;
  sink_->info(kept_);
  kept_.clear();
}

}  // namespace cooldown::observe
