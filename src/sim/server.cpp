#include "cooldown/sim/server.hpp"

#include <chrono>
#include <stdexcept>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "cooldown/sim/connection.hpp"
#include "cooldown/sim/exchange.hpp"

namespace cooldown::sim {
namespace {

using asio::ip::tcp;
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

class open_connection {
 public:
  explicit open_connection(simulation& world) : world_(world) {
    ++world_.traffic().connections_accepted;
    ++world_.traffic().connections_open;
  }
  open_connection(const open_connection&) = delete;
  open_connection& operator=(const open_connection&) = delete;
  ~open_connection() { --world_.traffic().connections_open; }

 private:
  simulation& world_;
};

asio::awaitable<void> run_session(std::unique_ptr<connection> client, std::shared_ptr<accounts> worlds) {
  const open_connection counted{worlds->first()};
  const bool ready = co_await client->handshake();
  if (!ready) co_return;
  for (;;) {
    http_request request;
    const auto outcome = co_await client->read(request);
    if (outcome == read_result::closed) break;
    if (outcome != read_result::request) {
      co_await answer_unreadable(*client, outcome);
      break;
    }
    const auto step = co_await answer(*client, *worlds, request);
    if (step == next_step::drop) co_return;
    if (step == next_step::close) break;
  }
  co_await client->close();
}

asio::awaitable<void> accept_connections(tcp::acceptor acceptor, std::shared_ptr<accounts> worlds,
                                         std::shared_ptr<asio::ssl::context> tls) {
  asio::steady_timer pause{acceptor.get_executor()};
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(as_result);
    if (error) {
      // Out of descriptors, most likely: they come back.
      pause.expires_after(std::chrono::milliseconds{100});
      co_await pause.async_wait(as_result);
      continue;
    }
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay{true}, ignored);
    auto client = tls ? make_connection(std::move(socket), *tls) : make_connection(std::move(socket));
    asio::co_spawn(acceptor.get_executor(), run_session(std::move(client), worlds), asio::detached);
  }
}

std::shared_ptr<asio::ssl::context> make_tls(const sim_options& options) {
  if (options.tls_cert.empty()) return nullptr;
  auto tls = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  tls->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv3 |
                   asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
  tls->use_certificate_chain_file(options.tls_cert);
  tls->use_private_key_file(options.tls_key, asio::ssl::context::pem);
  return tls;
}

}  // namespace

server::server(asio::io_context& context, sim_options options) : tls_(make_tls(options)), host_(options.host) {
  const auto place = options.host + ":" + std::to_string(options.port);
  boost::system::error_code error;
  tcp::resolver resolver{context};
  const auto found = resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
  if (error) throw std::runtime_error("cannot listen on " + place + ": " + error.message());
  tcp::acceptor acceptor{context};
  const auto endpoint = found.begin()->endpoint();
  acceptor.open(endpoint.protocol());
  acceptor.set_option(tcp::acceptor::reuse_address{true});
  acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) throw std::runtime_error("cannot listen on " + place + ": " + error.message());
  port_ = acceptor.local_endpoint().port();
  worlds_ = std::make_shared<accounts>(options);
  asio::co_spawn(context, accept_connections(std::move(acceptor), worlds_, tls_), asio::detached);
}

std::string server::url() const {
  const bool is_v6 = host_.find(':') != std::string::npos;
  const auto host = is_v6 ? "[" + host_ + "]" : host_;
  return (tls_ ? "https://" : "http://") + host + ":" + std::to_string(port_);
}

}  // namespace cooldown::sim
