#include "cooldown/net/tls.hpp"

#include <array>
#include <stdexcept>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "cooldown/net/authorities.hpp"

namespace cooldown::net {
namespace {

/// Whom a certificate that cannot be traced was issued by.
std::string issuer_in(X509_STORE_CTX* chain) {
  auto const* const at = X509_STORE_CTX_get_current_cert(chain);
  if (!at) return {};
  std::array<char, 256> name{};
  X509_NAME_oneline(X509_get_issuer_name(at), name.data(), static_cast<int>(name.size()));
  return name.data();
}

bool is_about_an_issuer(int error) {
  return error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT || error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
         error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE;
}

/// Checks the name, and keeps what the chain fails by.
struct verification {
  asio::ssl::host_name_verification name;
  std::shared_ptr<std::string> why;

  bool operator()(bool sound, asio::ssl::verify_context& context) const {
    auto* const chain = context.native_handle();
    if (sound && name(sound, context)) return true;
    auto const error = X509_STORE_CTX_get_error(chain);
    *why = sound ? "not for this name" : X509_verify_cert_error_string(error);
    if (!sound && is_about_an_issuer(error)) *why += " (issued by " + issuer_in(chain) + ')';
    return false;
  }
};

}  // namespace

/// The newest session OpenSSL gave us (TLS 1.3 sends tickets after the handshake, so a callback is the only way to get
/// them).
struct tls_client::session_cache {
  SSL_SESSION* last = nullptr;

  ~session_cache() { SSL_SESSION_free(last); }

  static int index() {
    static int const i = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return i;
  }
  static int keep(SSL* ssl, SSL_SESSION* session) {
    auto* const cache = static_cast<session_cache*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), index()));
    if (!cache) return 0;
    // A copy: OpenSSL spoils the original for good when its connection ends without a close_notify from both sides.
    SSL_SESSION_free(cache->last);
    cache->last = SSL_SESSION_dup(session);
    return 0;  // no reference to the original was kept
  }
};

tls_client::tls_client(const config::tls_settings& settings, const std::string& path)
    : settings_(settings), sessions_(std::make_unique<session_cache>()), context_(asio::ssl::context::tls_client) {
  auto* const ctx = context_.native_handle();
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  // A truncated stream is judged by HTTP's framing, not by OpenSSL; releasing buffers saves 34 KB per idle connection.
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
  error_code ec;
  if (settings_.ca_file.empty()) {
    context_.set_default_verify_paths(ec);
    if (auto const file = authorities_file(is_there); !ec && !file.empty()) context_.load_verify_file(file, ec);
    if (ec)
      throw std::runtime_error(path + ".tls: the system's certificate authorities cannot be read: " + ec.message());
  } else {
    context_.load_verify_file(settings_.ca_file, ec);
    if (ec) throw std::runtime_error(path + ".tls.ca_file: " + settings_.ca_file + ": " + ec.message());
    // Each certificate in it is an anchor, also one that another has issued: that is what the file is for.
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
  }
  context_.set_verify_mode(settings_.verify ? asio::ssl::verify_peer : asio::ssl::verify_none);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_set_ex_data(ctx, session_cache::index(), sessions_.get());
  SSL_CTX_sess_set_new_cb(ctx, session_cache::keep);
}

tls_client::~tls_client() {
  SSL_CTX_set_ex_data(context_.native_handle(), session_cache::index(), nullptr);
}

error_code tls_client::prepare(asio::ssl::stream<tcp_socket>& stream, const std::string& host,
                               std::shared_ptr<std::string> why) {
  auto const& name = settings_.server_name.empty() ? host : settings_.server_name;
  auto* const ssl = stream.native_handle();
  error_code ec;
  error_code not_an_address;
  asio::ip::make_address(name, not_an_address);
  // RFC 6066 §3: no literal addresses in SNI.
  // The macro SSL_set_tlsext_host_name, without its C cast.
  if (not_an_address &&
      SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(name.c_str())) != 1)
    return {static_cast<int>(::ERR_get_error()), asio::error::get_ssl_category()};
  if (settings_.verify)
    stream.set_verify_callback(verification{asio::ssl::host_name_verification(name), std::move(why)}, ec);
  if (!ec && sessions_->last) SSL_set_session(ssl, sessions_->last);
  return ec;
}

}  // namespace cooldown::net
