#include "quota/workload_file.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "sim/provider_file.hpp"

namespace cooldown::bench {
namespace {

using config::yaml_node;
using sim::bad_field;
using sim::bounds;
using sim::duration_in;
using sim::duration_range_in;
using sim::fields;
using sim::list_in;
using sim::number_in;
using sim::range_in;
using sim::shares;
using sim::text_in;

void read_configured(const yaml_node& node, const std::string& path, upstream& w) {
  constexpr bounds positive{1, 1e12};
  fields f(node, path);
  f.number("rpm", w.rpm_limit, positive);
  f.number("tpm", w.tpm_limit, positive);
  for (auto const& [name, slot] : configurable) {
    f.with(name, [&, slot = slot](const yaml_node& n, const std::string& p) {
      w.configured.limit[slot] = number_in(n, p, positive);
    });
  }
  f.end();
}

cancellation read_cancel(const yaml_node& node, const std::string& path) {
  cancellation c{.share = 0};
  fields f(node, path);
  f.number("share", c.share, shares);
  f.with("after", [&](const yaml_node& n, const std::string& p) { c.after = duration_range_in(n, p); });
  f.end();
  return c;
}

client_group read_group(const yaml_node& node, const std::string& path, int models) {
  client_group g;
  fields f(node, path);
  f.integer("connections", g.connections, {1, 100'000});
  f.choice("pace", g.how, {{"closed", pace::closed}, {"bursts", pace::bursts}, {"poisson", pace::poisson}});
  f.time("pause", g.pause);
  f.number("rate", g.rate, {1e-6, 1e6});
  f.time("every", g.every);
  f.with("input_chars", [&](const yaml_node& n, const std::string& p) { g.input_chars = range_in(n, p); });
  f.with("tail", [&](const yaml_node& n, const std::string& p) { g.tail = number_in(n, p, {0.1, 10}); });
  f.with("max_output", [&](const yaml_node& n, const std::string& p) {
    g.max_output.reset();
    if (n.text != "none") g.max_output = range_in(n, p);
  });
  f.integer("images", g.images, {0, 1'000});
  f.integer("image_tokens", g.image_tokens, {0, 100'000});
  f.integer("choices", g.choices, {1, 128});
  f.integer("reply", g.reply);
  f.with("reply_tail", [&](const yaml_node& n, const std::string& p) { g.reply_tail = number_in(n, p, {0.1, 10}); });
  f.time("time_per_token", g.time_per_token);
  f.with("cached", [&](const yaml_node& n, const std::string& p) { g.cached = number_in(n, p, shares); });
  f.with("cancel", [&](const yaml_node& n, const std::string& p) { g.cancel = read_cancel(n, p); });
  int urgency = g.urgency;
  f.integer("urgency", urgency, {0, 7});
  g.urgency = static_cast<std::uint8_t>(urgency);
  f.number("weight", g.weight, {0.001, 1000});
  f.flag("one_client", g.one_client);
  f.flag("watched", g.watched);
  f.integer("model", g.model, {0, models - 1.0});
  f.end();
  if (g.how == pace::bursts && g.every <= duration{0}) throw bad_field{node.at, path + ".every must be longer than 0s"};
  return g;
}

std::vector<workload::restart> read_events(const yaml_node& node, const std::string& path) {
  std::vector<workload::restart> restarts;
  for (auto const& item : list_in(node, path)) {
    workload::restart event;
    bool restart = false;
    fields f(item, path);
    f.time("at", event.at);
    f.flag("restart", restart);
    f.flag("keep", event.keep);
    f.end();
    if (!restart) throw bad_field{item.at, path + ": an event is {at: 600s, restart: true}"};
    restarts.push_back(event);
  }
  return restarts;
}

std::vector<outage> read_outages(const yaml_node& node, const std::string& path, int accounts) {
  std::vector<outage> all;
  for (auto const& item : list_in(node, path)) {
    auto& each = all.emplace_back();
    fields f(item, path);
    f.choice("how", each.how,
             {{"revoked", outage::kind::revoked},
              {"refused", outage::kind::refused},
              {"silent", outage::kind::silent},
              {"unavailable", outage::kind::unavailable}});
    f.time("from", each.from);
    f.time("until", each.until);
    f.with("account", [&](const yaml_node& n, const std::string& p) {
      each.account = static_cast<int>(number_in(n, p, {0, accounts - 1.0}));
    });
    f.end();
  }
  return all;
}

void read_accounts(fields& f, upstream& of) {
  f.integer("accounts", of.accounts, {1, 64});
  f.with("outages", [&](const yaml_node& n, const std::string& p) { of.outages = read_outages(n, p, of.accounts); });
}

upstream read_upstream(const yaml_node& node, const std::string& path, int models) {
  upstream u;
  fields f(node, path);
  f.with("provider", [&](const yaml_node& n, const std::string& p) { u.provider = sim::read_provider(n, p); });
  f.with("configured", [&](const yaml_node& n, const std::string& p) { read_configured(n, p, u); });
  read_accounts(f, u);
  f.end();
  u.provider.models = models;
  return u;
}

routing_rules read_routing(const yaml_node& node, const std::string& path) {
  routing_rules r;
  fields f(node, path);
  f.with("spill_after", [&](const yaml_node& n, const std::string& p) {
    r.spill_after.reset();
    if (n.text != "off") r.spill_after = duration_in(n, p);
  });
  f.time("min_gain", r.min_gain);
  f.end();
  return r;
}

workload read_tree(const yaml_node& root, const std::string& file) {
  workload w;
  fields f(root, "");
  w.name = std::filesystem::path(file).stem().string();
  f.with("name", [&](const yaml_node& n, const std::string& p) { w.name = text_in(n, p); });
  f.with("seconds", [&](const yaml_node& n, const std::string& p) {
    w.length = duration_of_seconds(number_in(n, p, {1, 10'000'000}));
  });
  f.with("provider", [&](const yaml_node& n, const std::string& p) { w.provider = sim::read_provider(n, p); });
  f.with("configured", [&](const yaml_node& n, const std::string& p) { read_configured(n, p, w); });
  f.with("clock_ahead", [&](const yaml_node& n, const std::string& p) { w.skew = duration_in(n, p, true); });
  f.with("clients", [&](const yaml_node& n, const std::string& p) {
    w.groups.clear();
    for (auto const& item : list_in(n, p)) w.groups.push_back(read_group(item, p, w.provider.models));
    if (w.groups.empty()) throw bad_field{n.at, p + " must name at least one group"};
  });
  read_accounts(f, w);
  f.with("upstreams", [&](const yaml_node& n, const std::string& p) {
    for (auto const& item : list_in(n, p)) w.others.push_back(read_upstream(item, p, w.provider.models));
  });
  f.with("routing", [&](const yaml_node& n, const std::string& p) { w.routing = read_routing(n, p); });
  f.flag("unequal", w.unequal);
  f.with("events", [&](const yaml_node& n, const std::string& p) { w.restarts = read_events(n, p); });
  f.end();
  return w;
}

workload_error error_at(const std::string& file, config::place at, const std::string& message) {
  return {sim::complaint(file, at, message)};
}

}  // namespace

std::variant<workload, workload_error> read_workload(std::string_view text, const std::string& file) {
  auto const tree = config::read_yaml(text);
  if (auto const* const error = std::get_if<config::yaml_error>(&tree))
    return error_at(file, error->at, error->message);
  try {
    return read_tree(std::get<yaml_node>(tree), file);
  } catch (const bad_field& error) {
    return error_at(file, error.at, error.message);
  }
}

std::variant<std::vector<workload>, workload_error> load_workloads(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ec;
  std::vector<fs::path> files{path};
  if (fs::is_directory(path, ec)) {
    files.clear();
    for (auto const& entry : fs::directory_iterator(path, ec)) {
      if (entry.path().extension() == ".yaml") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    if (files.empty()) return workload_error{path + ": the directory has no .yaml file"};
  }
  std::vector<workload> all;
  for (auto const& each : files) {
    std::ifstream in(each, std::ios::binary);
    std::string const text(std::istreambuf_iterator<char>(in), {});
    if (!in.good() && !in.eof()) return workload_error{each.string() + ": cannot read the file"};
    auto one = read_workload(text, each.string());
    if (auto* const error = std::get_if<workload_error>(&one)) return std::move(*error);
    all.push_back(std::move(std::get<workload>(one)));
  }
  return all;
}

}  // namespace cooldown::bench
