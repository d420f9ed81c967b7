#include "cooldown/net/client_tls.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <stdexcept>
#include <system_error>

#include <sys/socket.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace cooldown::net {
namespace {

/// Forward secrecy and authenticated encryption; what TLS 1.3 offers is all of that kind.
constexpr const char* ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr std::array<unsigned char, 9> http11{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

std::string last_reason() {
  auto const* const text = ::ERR_reason_error_string(::ERR_peek_last_error());
  return text ? text : "not readable";
}

[[noreturn]] void refuse(const char* key, const std::string& file, const std::string& why) {
  ::ERR_clear_error();
  throw std::runtime_error(std::string(key) + ": " + file + ": " + why);
}

void expect_readable(const char* key, const std::string& file) {
  auto* const f = std::fopen(file.c_str(), "rb");
  if (!f) refuse(key, file, std::generic_category().message(errno));
  std::fclose(f);
}

/// RFC 7301: a protocol both speak, or an alert.
int choose_protocol(SSL* /*unused*/, const unsigned char** out, unsigned char* size, const unsigned char* offered,
                    unsigned offered_size, void* /*unused*/) {
  unsigned char* chosen = nullptr;
  if (::SSL_select_next_proto(&chosen, size, http11.data(), http11.size(), offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

// OpenSSL's own socket BIO writes without MSG_NOSIGNAL, and keeps a descriptor that may be somebody else's by then.

int fd_of(BIO* b) {
  return static_cast<tcp_socket*>(::BIO_get_data(b))->native_handle();
}

int bio_write(BIO* b, const char* from, int size) {
  ::BIO_clear_retry_flags(b);
  ssize_t n = 0;
  do n = ::send(fd_of(b), from, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) ::BIO_set_retry_write(b);
  return static_cast<int>(n);
}

int bio_read(BIO* b, char* to, int size) {
  ::BIO_clear_retry_flags(b);
  ssize_t n = 0;
  do n = ::recv(fd_of(b), to, static_cast<std::size_t>(size), 0);
  while (n < 0 && errno == EINTR);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) ::BIO_set_retry_read(b);
  return static_cast<int>(n);
}

long bio_control(BIO* /*unused*/, int command, long /*unused*/, void* /*unused*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* socket_method() {
  static auto const* const method = [] {
    auto* const m = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tcp_socket");
    ::BIO_meth_set_write(m, bio_write);
    ::BIO_meth_set_read(m, bio_read);
    ::BIO_meth_set_ctrl(m, bio_control);
    return m;
  }();
  return method;
}

void load_certificate(SSL_CTX* ctx, const std::string& file) {
  constexpr auto key = "server.tls.certificate_file";
  expect_readable(key, file);
  ::ERR_clear_error();
  if (::SSL_CTX_use_certificate_chain_file(ctx, file.c_str()) != 1)
    refuse(key, file, "no usable PEM certificate (" + last_reason() + ")");
}

void load_key(SSL_CTX* ctx, const std::string& file) {
  constexpr auto key = "server.tls.key_file";
  expect_readable(key, file);
  ::ERR_clear_error();
  std::unique_ptr<BIO, decltype(&::BIO_free)> const in(::BIO_new_file(file.c_str(), "rb"), ::BIO_free);
  if (!in) refuse(key, file, last_reason());
  // Nobody is there to type a passphrase.
  bool locked = false;
  auto const no_passphrase = [](char* /*unused*/, int /*unused*/, int /*unused*/, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
  };
  std::unique_ptr<EVP_PKEY, decltype(&::EVP_PKEY_free)> const loaded(
      ::PEM_read_bio_PrivateKey(in.get(), nullptr, no_passphrase, &locked), ::EVP_PKEY_free);
  if (locked) refuse(key, file, "is locked by a passphrase; store it without one");
  if (!loaded) refuse(key, file, "no private key in PEM (" + last_reason() + ")");
  if (::X509_check_private_key(::SSL_CTX_get0_certificate(ctx), loaded.get()) != 1)
    refuse(key, file, "is not the key of server.tls.certificate_file");
  if (::SSL_CTX_use_PrivateKey(ctx, loaded.get()) != 1) refuse(key, file, "cannot be used (" + last_reason() + ")");
}

}  // namespace

void tls_server::free_context::operator()(SSL_CTX* c) const {
  ::SSL_CTX_free(c);
}

tls_server::tls_server(const config::server_tls_settings& settings) : context_(::SSL_CTX_new(::TLS_server_method())) {
  auto* const ctx = context_.get();
  if (!ctx) throw std::runtime_error("server.tls: " + last_reason());
  ::SSL_CTX_set_min_proto_version(ctx,
                                  settings.min_version == config::tls_version::v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  ::SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA);
  if (::SSL_CTX_set_cipher_list(ctx, ciphers) != 1) throw std::runtime_error("server.tls: " + last_reason());
  // A write goes on where the last one stopped, from a buffer that may have moved; buffers live as long as they are
  // full.
  ::SSL_CTX_set_mode(ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_read_ahead(ctx, 1);  // a record in one read, not two
  // Clients keep their sessions themselves, in tickets.
  ::SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, nullptr);
  load_certificate(ctx, settings.certificate_file);
  load_key(ctx, settings.key_file);
}

std::string tls_server::valid_until() const {
  std::unique_ptr<BIO, decltype(&::BIO_free)> const out(::BIO_new(::BIO_s_mem()), ::BIO_free);
  ::ASN1_TIME_print(out.get(), ::X509_get0_notAfter(::SSL_CTX_get0_certificate(context_.get())));
  char* text = nullptr;
  auto const size = ::BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::shared_ptr<tls_server> make_tls_server(const config::server_tls_settings& settings) {
  return settings.certificate_file.empty() ? nullptr : std::make_shared<tls_server>(settings);
}

tls_stream::tls_stream(const tls_server& server, tcp_socket& socket)
    : socket_(socket), ssl_(::SSL_new(server.context_.get())) {
  auto* const bio = ssl_ ? ::BIO_new(socket_method()) : nullptr;
  if (!bio) {
    ::SSL_free(ssl_);
    throw std::bad_alloc();
  }
  ::BIO_set_data(bio, &socket_);
  ::BIO_set_init(bio, 1);
  ::SSL_set_bio(ssl_, bio, bio);
  ::SSL_set_accept_state(ssl_);
}

tls_stream::~tls_stream() {
  ::SSL_free(ssl_);
}

tls_stream::state tls_stream::outcome(int result) {
  if (result > 0) return state::done;
  auto const saved = errno;
  switch (::SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return state::needs_read;
    case SSL_ERROR_WANT_WRITE:
      return state::needs_write;
    case SSL_ERROR_ZERO_RETURN:
      return state::ended;
    default:
      errno_ = saved;
      error_ = ::ERR_peek_error();
      spoilt_ = true;
      ::ERR_clear_error();
      return state::failed;
  }
}

// The queue of errors is the thread's, not the connection's: it must be empty before each operation.

tls_stream::state tls_stream::handshake() {
  ::ERR_clear_error();
  errno = 0;
  return outcome(::SSL_do_handshake(ssl_));
}

tls_stream::state tls_stream::read(asio::mutable_buffer to, std::size_t& n) {
  n = 0;
  if (spoilt_) return state::failed;
  ::ERR_clear_error();
  errno = 0;
  return outcome(::SSL_read_ex(ssl_, to.data(), to.size(), &n));
}

tls_stream::state tls_stream::write(asio::const_buffer from, std::size_t& n) {
  n = 0;
  if (spoilt_) return state::failed;
  ::ERR_clear_error();
  errno = 0;
  return outcome(::SSL_write_ex(ssl_, from.data(), from.size(), &n));
}

tls_stream::state tls_stream::peek() {
  if (spoilt_) return state::failed;
  ::ERR_clear_error();
  errno = 0;
  char byte = 0;
  std::size_t n = 0;
  return outcome(::SSL_peek_ex(ssl_, &byte, 1, &n));
}

void tls_stream::say_goodbye() {
  if (spoilt_ || said_goodbye_ || !socket_.is_open() || ::SSL_is_init_finished(ssl_) != 1) return;
  said_goodbye_ = true;
  ::ERR_clear_error();
  ::SSL_shutdown(ssl_);
  ::ERR_clear_error();
}

bool tls_stream::met_plain_http() const {
  return ERR_GET_LIB(error_) == ERR_LIB_SSL && ERR_GET_REASON(error_) == SSL_R_HTTP_REQUEST;
}

std::string tls_stream::reason() const {
  if (error_ != 0) {
    auto const* const text = ::ERR_reason_error_string(error_);
    return text ? text : "error " + std::to_string(error_);
  }
  return errno_ != 0 ? std::generic_category().message(errno_) : "the client left";
}

}  // namespace cooldown::net
