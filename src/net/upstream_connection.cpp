#include "cooldown/net/upstream_connection.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <openssl/ssl.h>

#include "cooldown/net/client_watch.hpp"
#include "cooldown/net/tls.hpp"

namespace cooldown::net {

bool is_local(const error_code& ec) {
  namespace errc = boost::system::errc;
  return ec == errc::too_many_files_open || ec == errc::too_many_files_open_in_system ||
         ec == errc::not_enough_memory || ec == errc::no_buffer_space || ec == errc::address_not_available ||
         ec == errc::address_family_not_supported || ec == errc::no_space_on_device || ec == errc::permission_denied ||
         ec == errc::operation_not_permitted;
}

upstream_connection::upstream_connection(std::shared_ptr<tls_client> tls, tcp_socket socket)
    : tls_(std::move(tls)), secure_(std::in_place, std::move(socket), tls_->context()) {}

std::size_t upstream_connection::write_at_once(std::span<const asio::const_buffer> buffers, error_code& ec) {
  if (secure_) return 0;
  auto const n = plain_->write_some(buffers, ec);
  if (ec != asio::error::would_block && ec != asio::error::interrupted) return ec ? 0 : n;
  ec = {};
  return 0;
}

task<std::pair<error_code, std::size_t>> upstream_connection::write_some(std::span<const asio::const_buffer> buffers) {
  using result = std::pair<error_code, std::size_t>;
  if (secure_) {
    auto ends = asio::bind_cancellation_slot(end_writing_.slot(), tok);
    auto [ec, n] = co_await secure_->async_write_some(buffers, ends);
    co_return result(ec, n);
  }
  auto [ec, n] = co_await plain_->async_write_some(buffers, tok);
  co_return result(ec, n);
}

task<error_code> upstream_connection::read_some(std::size_t most, interrupt& ctl) {
  if (ctl.fired()) co_return asio::error::operation_aborted;
  interrupt::watching<upstream_connection> const watched(ctl, *this);
  auto const space = in.prepare(most);
  if (secure_) {
    auto ends = asio::bind_cancellation_slot(end_reading_.slot(), tok);
    auto [ec, n] = co_await secure_->async_read_some(space, ends);
    in.commit(n);
    co_return ec;
  }
  auto [ec, n] = co_await plain_->async_read_some(space, tok);
  in.commit(n);
  co_return ec;
}

task<error_code> upstream_connection::shake_hands(interrupt& ctl) {
  interrupt::watching<upstream_connection> const watched(ctl, *this);
  auto ends = asio::bind_cancellation_slot(end_reading_.slot(), tok);
  auto [ec] = co_await secure_->async_handshake(asio::ssl::stream_base::client, ends);
  co_return ec;
}

void upstream_connection::cancel() {
  if (secure_) {
    end_reading_.emit(asio::cancellation_type::terminal);
    end_writing_.emit(asio::cancellation_type::terminal);
  } else {
    error_code ignored;
    plain_->cancel(ignored);
  }
}

bool upstream_connection::quiet() {
  if (in.size() > 0) return false;
  if (!secure_) return idle_and_alive(*plain_);
  // Only reading tells: a peek at the socket sees neither what is decrypted nor what waits in TLS's own buffers. The
  // socket does not block.
  char byte = 0;
  error_code ec;
  secure_->read_some(asio::buffer(&byte, 1), ec);
  if (ec != asio::error::would_block) return false;
  // The beginning of a record, or of a handshake message, is no silence either.
  auto* const ssl = secure_->native_handle();
  return SSL_has_pending(ssl) == 0 && SSL_in_init(ssl) == 0 && std::string_view(SSL_rstate_string(ssl)) == "RH";
}

}  // namespace cooldown::net
