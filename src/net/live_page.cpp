#include "cooldown/net/live_page.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "cooldown/http/chunked.hpp"
#include "cooldown/http/fields.hpp"

// The files of web/ as they are, put into the program by the assembler.
#define COOLDOWN_EMBED(name, file)                                                                               \
  asm(".section .rodata\n" #name "_begin:\n.incbin \"" COOLDOWN_WEB "/" file "\"\n" #name "_end:\n.previous\n"); \
  extern "C" const char name##_begin[];                                                                          \
  extern "C" const char name##_end[]

COOLDOWN_EMBED(cooldown_web_index, "index.html");
COOLDOWN_EMBED(cooldown_web_style, "style.css");
COOLDOWN_EMBED(cooldown_web_app, "app.js");
COOLDOWN_EMBED(cooldown_web_icon, "icon.svg");
COOLDOWN_EMBED(cooldown_web_uplot, "vendor/uPlot.iife.min.js");
COOLDOWN_EMBED(cooldown_web_uplot_style, "vendor/uPlot.min.css");

namespace cooldown::net {
namespace {

struct file {
  std::string_view path;
  std::string_view type;
  const char* begin;
  const char* end;
};

constexpr auto script = "text/javascript; charset=utf-8";
constexpr auto style = "text/css; charset=utf-8";

const file files[] = {
    {"/", "text/html; charset=utf-8", cooldown_web_index_begin, cooldown_web_index_end},
    {"/style.css", style, cooldown_web_style_begin, cooldown_web_style_end},
    {"/app.js", script, cooldown_web_app_begin, cooldown_web_app_end},
    {"/icon.svg", "image/svg+xml", cooldown_web_icon_begin, cooldown_web_icon_end},
    {"/uPlot.iife.min.js", script, cooldown_web_uplot_begin, cooldown_web_uplot_end},
    {"/uPlot.min.css", style, cooldown_web_uplot_style_begin, cooldown_web_uplot_style_end},
};

std::string event(app& shared, std::uint32_t& shown_until) {
  auto const now = steady_now();
  auto status = observe::status_json(shared.sources(), now);
  status.pop_back();  // its line end
  auto const past = shared.telemetry.history.json(shown_until);
  shown_until = shared.telemetry.history.latest();
  return http::encode_chunk(fmt::format("data: {{\"status\":{},\"history\":{}}}\n\n", status, past));
}

}  // namespace

std::optional<local_reply> page_file(std::string_view path) {
  for (auto const& f : files) {
    if (f.path != path) continue;
    local_reply reply;
    reply.content_type = f.type;
    reply.body.assign(f.begin, f.end);
    http::append_field(reply.fields, "Cache-Control", "no-cache");
    http::append_field(reply.fields, "Content-Security-Policy",
                       "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
                       "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    http::append_field(reply.fields, "X-Content-Type-Options", "nosniff");
    http::append_field(reply.fields, "Referrer-Policy", "no-referrer");
    return reply;
  }
  return std::nullopt;
}

bool is_page_file(std::string_view path) {
  return std::any_of(std::begin(files), std::end(files), [&](const file& f) { return f.path == path; });
}

task<void> stream_events(client_connection& c, app& shared) {
  ++shared.telemetry.stats.responses[200];
  std::string text =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n";
  text += "Transfer-Encoding: chunked\r\n\r\n";
  std::uint32_t shown_until = 0;
  text += event(shared, shown_until);
  // Draining ends a stream of events as it ends a wait.
  c.where = phase::queued;
  c.watch.arm();
  steady_timer timer(shared.io);
  for (;;) {
    auto const patience = shared.port.settings()->server.body_timeout;
    auto const ec = co_await c.write(text, patience);
    if (ec || c.ctl.fired() || shared.port.draining) break;
    timer.expires_after(observe::history::interval);
    {
      interrupt::watching<steady_timer> const watched(c.ctl, timer);
      co_await timer.async_wait(tok);
    }
    if (c.ctl.fired()) break;
    text = event(shared, shown_until);
  }
  if (c.ctl.why() == interruption::draining) {
    c.ctl.reset();
    auto const patience = shared.port.settings()->server.body_timeout;
    co_await c.write(http::last_chunk, patience);
  }
}

}  // namespace cooldown::net
