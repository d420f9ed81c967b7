#include "quota/describe.hpp"

#include <cstdio>

namespace cooldown::bench {
namespace {

std::string text_of(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.12g", number);
  return text;
}

std::string text_of(bool flag) {
  return flag ? "true" : "false";
}

template <class Range, class Convert>
std::string pair_of(const Range& r, Convert convert) {
  return "[" + text_of(convert(r.low)) + ", " + text_of(convert(r.high)) + "]";
}

/// Members of one object.
class object {
 public:
  object& with(const char* key, const std::string& json) {
    text_.append(text_.empty() ? "" : ", ").append("\"").append(key).append("\": ").append(json);
    return *this;
  }
  object& with(const char* key, double number) { return with(key, text_of(number)); }
  std::string text() const { return "{" + text_ + "}"; }

 private:
  std::string text_;
};

const char* name_of(pace p) {
  if (p == pace::poisson) return "poisson";
  return p == pace::bursts ? "bursts" : "closed";
}

std::string configured_of(const workload& w) {
  object o;
  o.with("rpm", w.rpm_limit).with("tpm", w.tpm_limit);
  for (auto const& [name, slot] : configurable) {
    if (auto const limit = w.configured.of(slot)) o.with(name, *limit);
  }
  return o.text();
}

std::string group_of(const client_group& g, const workload& w) {
  auto const number = [](int n) { return static_cast<double>(n); };
  object o;
  o.with("connections", g.connections).with("one_client", text_of(g.one_client));
  o.with("pace", quoted(name_of(g.how))).with("pause_s", seconds_of(g.pause)).with("rate", g.rate);
  o.with("every_s", seconds_of(g.every)).with("input_chars", pair_of(g.input_chars, number));
  o.with("tail", g.tail ? text_of(*g.tail) : "null");
  o.with("max_output", g.max_output ? pair_of(*g.max_output, number) : "null").with("reply", g.reply);
  o.with("reply_tail", g.reply_tail ? text_of(*g.reply_tail) : "null").with("choices", g.choices);
  o.with("images", g.images).with("image_tokens", g.image_tokens);
  o.with("token_s", seconds_of(g.time_per_token)).with("cached", g.cached.value_or(w.provider.cached));
  o.with("cancel_share", g.cancel ? g.cancel->share : 0);
  o.with("cancel_after_s", pair_of(g.cancel.value_or(cancellation{.share = 0}).after, seconds_of));
  o.with("model", g.model).with("urgency", g.urgency).with("weight", g.weight).with("watched", text_of(g.watched));
  return o.text();
}

}  // namespace

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (char const c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return result + '"';
}

std::string description_of(const workload& w, double possible_tokens) {
  std::string groups;
  for (auto const& g : w.groups) groups.append(groups.empty() ? "" : ", ").append(group_of(g, w));
  object o;
  o.with("name", quoted(w.name)).with("possible_tokens", possible_tokens);
  o.with("restarts", static_cast<double>(w.restarts.size())).with("clock_ahead_s", seconds_of(w.skew));
  o.with("unequal", text_of(w.unequal)).with("configured", configured_of(w)).with("clients", "[" + groups + "]");
  return o.text();
}

}  // namespace cooldown::bench
