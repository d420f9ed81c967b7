#include "cooldown/observe/history.hpp"

#include <algorithm>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "cooldown/http/json_text.hpp"

namespace cooldown::observe {
namespace {

namespace json = boost::json;

double seconds_since_1970(wall_time t) {
  return std::chrono::duration<double>(t.time_since_epoch()).count();
}

}  // namespace

void history::sample(const std::vector<scope_report>& scopes, time_point now, wall_time wall) {
  auto const time = static_cast<std::uint32_t>(seconds_since_1970(wall));
  latest_ = time;
  for (auto const& s : scopes) {
    auto [found, fresh] = tracks_.try_emplace(key(s.model, s.credential));
    auto& t = found->second;
    // A scope that was forgotten and is created again starts from zero.
    if (fresh || s.totals.released < t.before.released) t.before = {};
    point p{.time = time,
            .released = static_cast<float>(s.totals.released - t.before.released),
            .used = static_cast<float>(s.totals.tokens_used - t.before.tokens_used),
            .refused = static_cast<float>(s.totals.refused - std::min(s.totals.refused, t.before.refused)),
            .remaining = -1,
            .limit = 0,
            .reset_in = -1,
            .queued = static_cast<std::uint32_t>(s.queued),
            .in_flight = static_cast<std::uint32_t>(s.in_flight)};
    if (s.binding) {
      p.remaining = static_cast<float>(s.binding->level);
      p.limit = static_cast<float>(s.binding->limit);
      for (auto const& b : s.budgets)
        if (limit_id{b.counts, b.over} == s.binding->id && b.next_reset)
          p.reset_in = static_cast<float>(std::max(0.0, seconds_of(*b.next_reset - now)));
    }
    if (p.released > 0 || p.queued > 0) t.last_release = time;
    t.before = s.totals;
    t.points.push_back(p);
  }
  forget(time);
}

/// Drops points that are too old and, beyond the bound, the scopes that were released to longest ago.
void history::forget(std::uint32_t now) {
  auto const oldest = now - static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(span).count());
  for (auto i = tracks_.begin(); i != tracks_.end();) {
    auto& points = i->second.points;
    while (!points.empty() &&
           (points.size() > most_points || points.front().time < oldest || points.front().time > now))
      points.pop_front();
    i = points.empty() ? tracks_.erase(i) : std::next(i);
  }
  while (tracks_.size() > most_scopes)
    tracks_.erase(std::min_element(tracks_.begin(), tracks_.end(), [](auto const& a, auto const& b) {
      return a.second.last_release < b.second.last_release;
    }));
}

void history::record(access_record r, wall_time now) {
  if (recent_.size() == most_recent) recent_.pop_front();
  recent_.push_back({.time = seconds_since_1970(now), .what = std::move(r)});
}

std::string history::json(std::uint32_t after) const {
  json::array scopes;
  for (auto const& [name, t] : tracks_) {
    auto const end = t.points.end();
    auto const from = std::upper_bound(t.points.begin(), end, after,
                                       [](std::uint32_t time, const point& p) { return time < p.time; });
    if (from == end) continue;
    auto const column = [&](auto field) {
      json::array values;
      for (auto i = from; i != end; ++i) values.push_back(static_cast<double>((*i).*field));
      return values;
    };
    scopes.push_back(json::object{{"model", name.first},
                                  {"credential", shown(name.second)},
                                  {"time", column(&point::time)},
                                  {"released", column(&point::released)},
                                  {"used", column(&point::used)},
                                  {"refused", column(&point::refused)},
                                  {"remaining", column(&point::remaining)},
                                  {"limit", column(&point::limit)},
                                  {"reset_in", column(&point::reset_in)},
                                  {"queued", column(&point::queued)},
                                  {"in_flight", column(&point::in_flight)}});
  }
  return http::visible(json::serialize(json::object{{"scopes", std::move(scopes)}}));
}

}  // namespace cooldown::observe
