#include "cooldown/net/upstream_connection.hpp"

#include <array>

#include <boost/asio/write.hpp>
#include <openssl/ssl.h>

#include "cooldown/net/client_watch.hpp"

namespace cooldown::net {

bool is_local(const error_code& ec) {
  namespace errc = boost::system::errc;
  return ec == errc::too_many_files_open || ec == errc::too_many_files_open_in_system ||
         ec == errc::not_enough_memory || ec == errc::no_buffer_space || ec == errc::address_not_available ||
         ec == errc::address_family_not_supported || ec == errc::no_space_on_device || ec == errc::permission_denied ||
         ec == errc::operation_not_permitted;
}

task<error_code> upstream_connection::write(std::string_view head, std::string_view body, interrupt& ctl) {
  if (ctl.fired()) co_return asio::error::operation_aborted;
  std::array<asio::const_buffer, 2> buffers{asio::buffer(head), asio::buffer(body)};
  interrupt::watching<tcp_socket> const watched(ctl, socket());
  if (secure_) {
    // One TLS record for both where they fit together: SSL_write knows no gather.
    if (head.size() + body.size() <= 16 * 1024 && !body.empty()) {
      std::string joined;
      joined.reserve(head.size() + body.size());
      joined.append(head).append(body);
      auto [ec, n] = co_await asio::async_write(*secure_, asio::buffer(joined), tok);
      co_return ec;
    }
    auto [ec, n] = co_await asio::async_write(*secure_, buffers, tok);
    co_return ec;
  }
  // The socket's buffer nearly always takes all at once: no suspension then.
  error_code ec;
  auto const written = plain_->write_some(buffers, ec);
  if (ec && ec != asio::error::would_block && ec != asio::error::interrupted) co_return ec;
  if (!ec && written == head.size() + body.size()) co_return error_code{};
  auto const done = ec ? 0 : written;
  if (done < head.size()) {
    buffers[0] += done;
  } else {
    buffers[0] = {};
    buffers[1] += done - head.size();
  }
  auto [failed, n] = co_await asio::async_write(*plain_, buffers, tok);
  co_return failed;
}

task<error_code> upstream_connection::read_some(std::size_t most, interrupt& ctl) {
  if (ctl.fired()) co_return asio::error::operation_aborted;
  interrupt::watching<tcp_socket> const watched(ctl, socket());
  auto const space = in.prepare(most);
  if (secure_) {
    auto [ec, n] = co_await secure_->async_read_some(space, tok);
    in.commit(n);
    co_return ec;
  }
  auto [ec, n] = co_await plain_->async_read_some(space, tok);
  in.commit(n);
  co_return ec;
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
