#include "cooldown/net/upstreams.hpp"

#include <utility>

namespace cooldown::net {

upstreams::upstreams(asio::io_context& io, deadline_sweep& sweep, settings_ptr settings) {
  all_.push_back(std::make_unique<destination>(io, sweep, std::move(settings)));
}

std::vector<upstream_ptr> upstreams::prepare(const settings_ptr& settings) {
  std::vector<upstream_ptr> prepared;
  for (auto const& d : all_) prepared.push_back(d->prepare(settings));
  return prepared;
}

void upstreams::apply(std::vector<upstream_ptr> prepared) {
  for (std::size_t i = 0; i < all_.size(); ++i) all_[i]->apply(std::move(prepared[i]));
}

std::size_t upstreams::queue_length() const {
  std::size_t sum = 0;
  for (auto const& d : all_) sum += d->queue_length();
  return sum;
}

void upstreams::close_idle() {
  for (auto const& d : all_) d->provider().pool.close_idle();
}

}  // namespace cooldown::net
