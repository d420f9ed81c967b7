#include "support/tls.hpp"

#include <array>
#include <csignal>
#include <fstream>
#include <stdexcept>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <unistd.h>

namespace cooldown::testing {
namespace {

void openssl(std::vector<std::string> args) {
  process p("/usr/bin/openssl", args);
  if (p.wait() != 0) throw std::runtime_error("openssl " + args[0] + ": " + p.output());
}

const std::vector<std::string> new_key{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"};

// OpenSSL 3.5 makes no certificate that ends before it begins, and earlier ones know no other way.
#if OPENSSL_VERSION_NUMBER >= 0x30400000L
const std::vector<std::string> long_ago{"-not_before", "20200101000000Z", "-not_after", "20210101000000Z"};
#else
const std::vector<std::string> long_ago{"-days", "-1"};
#endif

}  // namespace

authority::authority(const std::string& name, const authority* root)
    : own_{directory_.path("ca.pem"), directory_.path("ca.key")}, is_root_(!root) {
  std::vector<std::string> args{"req", "-subj", "/CN=" + name, "-keyout", own_.key};
  args.insert(args.end(), new_key.begin(), new_key.end());
  auto const request = directory_.path("ca.csr");
  if (root) {
    args.insert(args.end(), {"-out", request});
  } else {
    args.insert(args.end(), {"-x509", "-days", "2", "-out", own_.file});
  }
  openssl(args);
  if (!root) return;
  auto const extensions = directory_.file("ca.ext", "basicConstraints=critical,CA:TRUE\n");
  openssl({"x509", "-req", "-in", request, "-CA", root->own_.file, "-CAkey", root->own_.key, "-set_serial", "99",
           "-days", "2", "-extfile", extensions, "-out", own_.file});
}

certificate authority::sign(const std::string& subject_alternative_name, bool expired) const {
  auto const number = std::to_string(++signed_);
  certificate made{directory_.path(number + ".pem"), directory_.path(number + ".key")};
  auto const request = directory_.path(number + ".csr");
  auto const extensions = directory_.file(number + ".ext", "subjectAltName=" + subject_alternative_name + "\n");
  std::vector<std::string> args{"req", "-subj", "/CN=test", "-keyout", made.key, "-out", request};
  args.insert(args.end(), new_key.begin(), new_key.end());
  openssl(args);
  args = {"x509", "-req", "-in", request, "-CA", own_.file, "-CAkey", own_.key, "-set_serial", number};
  args.insert(args.end(), {"-extfile", extensions, "-out", made.file});
  if (expired) {
    args.insert(args.end(), long_ago.begin(), long_ago.end());
  } else {
    args.insert(args.end(), {"-days", "2"});
  }
  openssl(args);
  if (!is_root_) std::ofstream(made.file, std::ios::app) << std::ifstream(own_.file).rdbuf();
  return made;
}

struct tls_upstream::context {
  SSL_CTX* ctx = SSL_CTX_new(TLS_server_method());
  context() = default;
  ~context() { SSL_CTX_free(ctx); }
  context(const context&) = delete;
  context& operator=(const context&) = delete;
};

tls_upstream::tls_upstream(const certificate& shown, handler h)
    : handler_(std::move(h)), context_(std::make_unique<context>()) {
  ::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  if (SSL_CTX_use_certificate_chain_file(context_->ctx, shown.file.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context_->ctx, shown.key.c_str(), SSL_FILETYPE_PEM) != 1)
    throw std::runtime_error("certificate");
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof a;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&a), size) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&a), &size) != 0)
    throw std::runtime_error("TLS upstream cannot listen");
  port_ = ntohs(a.sin_port);
  accepting_ = std::thread([this] {
    for (;;) {
      int const fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0 || stop_) {
        if (fd >= 0) ::close(fd);
        return;
      }
      ++attempts_;
      std::lock_guard const lock(mutex_);
      open_.push_back(fd);
      threads_.emplace_back([this, fd] { serve(fd); });
    }
  });
}

tls_upstream::~tls_upstream() {
  stop_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  accepting_.join();
  ::close(listener_);
  {
    std::lock_guard const lock(mutex_);
    for (int const fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  for (auto& t : threads_) t.join();
}

std::string tls_upstream::url(const std::string& host) const {
  return "https://" + host + ":" + std::to_string(port_);
}

std::vector<tls_upstream::connection> tls_upstream::connections() const {
  std::lock_guard const lock(mutex_);
  return connections_;
}

void tls_upstream::send(int fd, void* stream, const answer& a) {
  auto* const ssl = static_cast<SSL*>(stream);
  auto const hold_back = [&](int on) { ::setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on); };
  hold_back(1);
  SSL_write(ssl, a.bytes.data(), static_cast<int>(a.bytes.size()));
  if (a.wait) {
    hold_back(0);
    a.wait();
    hold_back(1);
  }
  if (!a.record.empty()) SSL_write(ssl, a.record.data(), static_cast<int>(a.record.size()));
  if (a.ticket && SSL_new_session_ticket(ssl) == 1) SSL_do_handshake(ssl);
  if (!a.wire.empty()) ::send(fd, a.wire.data(), a.wire.size(), MSG_NOSIGNAL);
  if (a.after == ending::close_notify || a.after == ending::goodbye) SSL_shutdown(ssl);
  hold_back(0);
}

void tls_upstream::serve(int fd) {
  auto* const ssl = SSL_new(context_->ctx);
  SSL_set_fd(ssl, fd);
  bool more = SSL_accept(ssl) == 1;
  if (more) {
    auto const* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    std::lock_guard const lock(mutex_);
    connections_.push_back({SSL_session_reused(ssl) == 1, name ? name : "", SSL_get_version(ssl)});
  }
  std::string got;
  while (more) {
    char buffer[16 * 1024];
    auto const n = SSL_read(ssl, buffer, sizeof buffer);
    if (n <= 0) break;
    got.append(buffer, static_cast<std::size_t>(n));
    auto const end = got.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    auto const at = got.find("Content-Length: ");
    std::size_t const length = at < end ? std::stoul(got.substr(at + 16)) : 0;
    if (got.size() < end + 4 + length) continue;
    ++requests_;
    auto const a = handler_(got.substr(0, end + 4));
    got.erase(0, end + 4 + length);
    send(fd, ssl, a);
    more = a.after == ending::keep_alive || a.after == ending::goodbye;
  }
  SSL_free(ssl);
  std::lock_guard const lock(mutex_);
  open_.remove(fd);
  ::shutdown(fd, SHUT_RDWR);
  ::close(fd);
}

struct tls_connection::state {
  SSL_CTX* ctx = SSL_CTX_new(TLS_client_method());
  SSL* ssl = nullptr;
  SSL_SESSION* session = nullptr;
  std::size_t records = 0;

  state() = default;
  ~state() {
    SSL_free(ssl);
    SSL_SESSION_free(session);
    SSL_CTX_free(ctx);
  }
  state(const state&) = delete;
  state& operator=(const state&) = delete;

  /// Whether to try again; waits until that makes sense.
  bool again(int fd, int result, std::chrono::milliseconds limit) const {
    auto const error = SSL_get_error(ssl, result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return false;
    pollfd p{fd, static_cast<short>(error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT), 0};
    return ::poll(&p, 1, static_cast<int>(limit.count())) > 0;
  }
  static int keep(SSL* ssl, SSL_SESSION* session) {
    auto* const self = static_cast<state*>(SSL_get_app_data(ssl));
    SSL_SESSION_free(self->session);
    self->session = session;
    return 1;
  }
  static void count(int writing, int /*unused*/, int type, const void* buffer, std::size_t size, SSL* /*unused*/,
                    void* self) {
    // The type within an encrypted record of TLS 1.3 has a message of its own.
    if (writing == 0 && type == SSL3_RT_INNER_CONTENT_TYPE && size == 1 &&
        *static_cast<const unsigned char*>(buffer) == SSL3_RT_APPLICATION_DATA)
      ++static_cast<state*>(self)->records;
  }
};

tls_connection::tls_connection(std::uint16_t port, const std::string& ca_file, const options& how)
    : tcp_client(port), state_(std::make_unique<state>()) {
  ::signal(SIGPIPE, SIG_IGN);
  auto* const ctx = state_->ctx;
  if (SSL_CTX_load_verify_locations(ctx, ca_file.c_str(), nullptr) != 1) throw std::runtime_error(ca_file);
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(ctx, state::keep);
  if (!how.version.empty()) {
    auto const version = how.version == "1.2" ? TLS1_2_VERSION : TLS1_3_VERSION;
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
  }
  auto* const ssl = state_->ssl = SSL_new(ctx);
  SSL_set_app_data(ssl, state_.get());
  SSL_set_msg_callback(ssl, state::count);
  SSL_set_msg_callback_arg(ssl, state_.get());
  if (!how.protocols.empty()) {
    auto const list = std::string(1, static_cast<char>(how.protocols.size())) + how.protocols;
    SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(list.data()), static_cast<unsigned>(list.size()));
  }
  if (!how.session.empty()) {
    auto const* bytes = reinterpret_cast<const unsigned char*>(how.session.data());
    auto* const session = d2i_SSL_SESSION(nullptr, &bytes, static_cast<long>(how.session.size()));
    SSL_set_session(ssl, session);
    SSL_SESSION_free(session);
  }
  ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
  SSL_set_fd(ssl, fd_);
  int result = 0;
  do result = SSL_connect(ssl);
  while (result != 1 && state_->again(fd_, result, patience));
  if (result != 1) throw std::runtime_error("TLS handshake");
}

tls_connection::~tls_connection() = default;
tls_connection::tls_connection(tls_connection&&) noexcept = default;

bool tls_connection::send(const std::string& bytes) const {
  if (bytes.empty()) return true;
  int result = 0;
  do result = SSL_write(state_->ssl, bytes.data(), static_cast<int>(bytes.size()));
  while (result <= 0 && state_->again(fd_, result, patience));
  return result > 0;
}

std::string tls_connection::read_some(std::chrono::milliseconds limit) {
  if (!buffer_.empty()) return std::exchange(buffer_, {});
  std::string out(64 * 1024, '\0');
  int result = 0;
  do result = SSL_read(state_->ssl, out.data(), static_cast<int>(out.size()));
  while (result <= 0 && state_->again(fd_, result, limit));
  if (result <= 0) {
    auto const error = SSL_get_error(state_->ssl, result);
    closed_ = closed_ || error == SSL_ERROR_ZERO_RETURN;
    reset_ = reset_ || error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL;
  }
  out.resize(result > 0 ? static_cast<std::size_t>(result) : 0);
  return out;
}

void tls_connection::say_goodbye() const {
  SSL_shutdown(state_->ssl);
}

void tls_connection::update_keys() const {
  SSL_key_update(state_->ssl, SSL_KEY_UPDATE_REQUESTED);
  SSL_do_handshake(state_->ssl);
}

std::string tls_connection::version() const {
  return SSL_get_version(state_->ssl);
}

std::string tls_connection::protocol() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(state_->ssl, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::string tls_connection::serial() const {
  auto* const shown = SSL_get1_peer_certificate(state_->ssl);
  auto const number = ASN1_INTEGER_get(X509_get0_serialNumber(shown));
  X509_free(shown);
  return std::to_string(number);
}

bool tls_connection::resumed() const {
  return SSL_session_reused(state_->ssl) == 1;
}

std::string tls_connection::session() const {
  if (!state_->session) return {};
  std::string out(static_cast<std::size_t>(i2d_SSL_SESSION(state_->session, nullptr)), '\0');
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  i2d_SSL_SESSION(state_->session, &to);
  return out;
}

std::size_t tls_connection::records() const {
  return state_->records;
}

}  // namespace cooldown::testing
