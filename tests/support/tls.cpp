#include "support/tls.hpp"

#include <csignal>
#include <stdexcept>

#include <netinet/in.h>
#include <sys/socket.h>

#include <openssl/ssl.h>
#include <unistd.h>

namespace cooldown::testing {
namespace {

void openssl(std::vector<std::string> args) {
  process p("/usr/bin/openssl", args);
  if (p.wait() != 0) throw std::runtime_error("openssl " + args[0] + ": " + p.output());
}

const std::vector<std::string> new_key{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"};

}  // namespace

authority::authority(const std::string& name) : own_{directory_.path("ca.pem"), directory_.path("ca.key")} {
  std::vector<std::string> args{"req",         "-x509",   "-days",  "2",    "-subj",
                                "/CN=" + name, "-keyout", own_.key, "-out", own_.file};
  args.insert(args.end(), new_key.begin(), new_key.end());
  openssl(args);
}

certificate authority::sign(const std::string& subject_alternative_name, bool expired) const {
  auto const number = std::to_string(++signed_);
  certificate made{directory_.path(number + ".pem"), directory_.path(number + ".key")};
  auto const request = directory_.path(number + ".csr");
  auto const extensions = directory_.file(number + ".ext", "subjectAltName=" + subject_alternative_name + "\n");
  std::vector<std::string> args{"req", "-subj", "/CN=test", "-keyout", made.key, "-out", request};
  args.insert(args.end(), new_key.begin(), new_key.end());
  openssl(args);
  openssl({"x509", "-req", "-in", request, "-CA", own_.file, "-CAkey", own_.key, "-set_serial", number, "-days",
           expired ? "-1" : "2", "-extfile", extensions, "-out", made.file});
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
    SSL_write(ssl, a.bytes.data(), static_cast<int>(a.bytes.size()));
    if (a.after == ending::close_notify) SSL_shutdown(ssl);
    more = a.after == ending::keep_alive;
  }
  SSL_free(ssl);
  std::lock_guard const lock(mutex_);
  open_.remove(fd);
  ::shutdown(fd, SHUT_RDWR);
  ::close(fd);
}

}  // namespace cooldown::testing
