// Helpers for sequences of buffers.
#pragma once

#include <span>

#include <boost/asio/buffer.hpp>

namespace cooldown::net {

/// Takes `n` written bytes off the front of the buffers.
inline void consume(std::span<boost::asio::const_buffer>& buffers, std::size_t n) {
  std::size_t i = 0;
  while (i < buffers.size() && n >= buffers[i].size()) n -= buffers[i++].size();
  buffers = buffers.subspan(i);
  if (!buffers.empty()) buffers.front() += n;
}

}  // namespace cooldown::net
