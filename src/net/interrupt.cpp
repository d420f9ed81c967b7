#include "cooldown/net/interrupt.hpp"

#include <algorithm>

#include <sys/ioctl.h>

#include <linux/sockios.h>

#include "cooldown/exchange/body_pace.hpp"
#include "cooldown/net/memory.hpp"
#include "cooldown/net/upstream_connection.hpp"

namespace cooldown::net {
namespace {

/// Bytes that were written to it and that the peer's system has not acknowledged.
std::size_t bytes_in(tcp_socket& socket) {
  int bytes = 0;
  return ::ioctl(socket.native_handle(), SIOCOUTQ, &bytes) == 0 ? static_cast<std::size_t>(bytes) : 0;
}

}  // namespace

void deadline_sweep::entry::set(duration from_now) {
  at_ = steady_now() + from_now;
  if (!linked_) sweep_.link(*this);
  if (!sweep_.running_) sweep_.start();
}

void deadline_sweep::entry::extend(duration earned, duration most) {
  if (linked_) at_ = std::min(at_ + earned, steady_now() + most);
}

void deadline_sweep::entry::clear() {
  if (linked_) sweep_.unlink(*this);
}

deadline_sweep::entry::~entry() {
  clear();
}

void deadline_sweep::link(entry& e) {
  e.next_ = first_;
  e.previous_ = nullptr;
  if (first_) first_->previous_ = &e;
  first_ = &e;
  e.linked_ = true;
}

void deadline_sweep::unlink(entry& e) {
  if (cursor_ == &e) cursor_ = e.next_;
  if (e.previous_) e.previous_->next_ = e.next_;
  if (e.next_) e.next_->previous_ = e.previous_;
  if (first_ == &e) first_ = e.next_;
  e.linked_ = false;
}

void deadline_sweep::start() {
  last_reserve const for_the_timer;
  due_ = steady_now() + resolution;
  timer_.expires_at(due_);
  timer_.async_wait([this](error_code ec) {
    running_ = false;
    if (!ec) sweep();
    if (ec && first_) start();
  });
  running_ = true;
}

void deadline_sweep::sweep() {
  auto const now = steady_now();
  if (auto const late = now - due_; late > away) {
    for (auto* e = first_; e; e = e->next_)
      if (e->at_ <= now) e->at_ += late;
  }
  // Before anything that may fail.
  if (first_) start();
  for (cursor_ = first_; cursor_;) {
    auto& e = *cursor_;
    cursor_ = e.next_;
    if (now < e.at_) continue;
    e.clear();
    e.expired();
  }
  if (!first_) timer_.cancel();
}

void interrupt::set(duration from_now) {
  untaken_ = 0;
  entry::set(from_now);
}

void interrupt::set_for_taking(duration from_now) {
  entry::set(from_now);
  untaken_ = bytes_in(client_);
}

void interrupt::expired() {
  auto const before = untaken_;
  if (before > 0) untaken_ = bytes_in(client_);
  if (untaken_ >= before) return fire(interruption::timeout);
  entry::set(time_for(before - untaken_));
}

void interrupt::fire(interruption why) {
  if (fired()) return;
  why_ = why;
  clear();
  error_code ignored;
  if (upstream_) upstream_->cancel();
  if (timer_) timer_->cancel();
  client_.cancel(ignored);
}

}  // namespace cooldown::net
