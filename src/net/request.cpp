#include "cooldown/net/request.hpp"

#include <algorithm>
#include <cstring>

namespace cooldown::net {

std::pair<char*, std::size_t> body_buffer::prepare(std::size_t expected) {
  if (size_ == capacity_) {
    // A length that was only promised gets no memory beyond what a doubling would give.
    auto const grown = std::max<std::size_t>(16 * 1024, capacity_ * 2);
    auto const next = expected > size_ ? std::min(grown, expected) : grown;
    auto larger = std::make_unique_for_overwrite<char[]>(next + padding);
    if (size_ > 0) std::memcpy(larger.get(), data_.get(), size_);
    data_ = std::move(larger);
    capacity_ = next;
  }
  return {data_.get() + size_, capacity_ - size_};
}

void body_buffer::append(std::string_view text, std::size_t expected) {
  while (!text.empty()) {
    auto const [to, room] = prepare(expected);
    auto const n = std::min(room, text.size());
    std::memcpy(to, text.data(), n);
    commit(n);
    text.remove_prefix(n);
  }
}

}  // namespace cooldown::net
