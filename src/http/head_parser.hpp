// Uses Beast's parser as a tokenizer: it splits a head into views of the input and notes what our own checks need.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include <boost/beast/http/basic_parser.hpp>

#include "cooldown/http/head.hpp"
#include "cooldown/text/header_view.hpp"

namespace cooldown::http {

/// The facts that framing and connection management depend on, collected while parsing.
struct field_notes {
  std::string_view host;
  std::string_view content_length;
  std::string_view transfer_encoding;
  unsigned hosts = 0;
  unsigned content_lengths = 0;
  unsigned transfer_encodings = 0;
  bool close = false;       // among the tokens of all Connection lines
  bool keep_alive = false;  // likewise
  bool expects_continue = false;
  bool expects_else = false;

  void take(boost::beast::http::field which, std::string_view value);

  /// RFC 9112 §9.3.
  bool is_persistent(bool http11) const { return !close && (http11 || keep_alive); }
};

/// A sentence for an error of Beast.
const char* reason_of(boost::beast::error_code ec);

template <bool is_request>
class head_parser final : public boost::beast::http::basic_parser<is_request> {
  using base = boost::beast::http::basic_parser<is_request>;
  using beast_text = boost::beast::string_view;
  using error_code = boost::beast::error_code;

 public:
  explicit head_parser(std::vector<header_field>& fields) : fields_(fields) { fields_.clear(); }

  /// Parses exactly `bytes`. Returns nullptr if they are a head, else the reason why not.
  const char* parse(std::string_view bytes) {
    bytes_ = bytes;
    this->header_limit(UINT32_MAX);  // head_scanner has its own
    this->body_limit(boost::none);
    error_code ec;
    auto const used = this->put({bytes.data(), bytes.size()}, ec);
    wrong_version_ = ec == boost::beast::http::error::bad_version;
    if (ec) return reason_of(ec);
    if (!this->is_header_done() || used != bytes.size()) return "the head does not end where it should";
    return nullptr;
  }

  bool is_wrong_version() const { return wrong_version_; }

  std::string_view method, target, reason;
  unsigned status = 0;
  bool http11 = true;
  field_notes notes;

 private:
  static std::string_view view(beast_text text) { return {text.data(), text.size()}; }

  void on_request_impl(boost::beast::http::verb, beast_text name, beast_text path, int version, error_code&) override {
    method = view(name);
    target = view(path);
    http11 = version == 11;
  }

  void on_response_impl(int code, beast_text phrase, int version, error_code&) override {
    status = static_cast<unsigned>(code);
    reason = view(phrase);
    http11 = version == 11;
  }

  void on_field_impl(boost::beast::http::field which, beast_text name, beast_text text, error_code& ec) override {
    auto const value = view(text);
    if (is_folded(view(name), value)) {
      ec = boost::beast::http::error::bad_value;
      return;
    }
    notes.take(which, value);
    fields_.push_back({view(name), value});
  }

  // Beast unfolds into its own buffer, or skips line ends before the value: in both cases a view would not match the
  // line.
  bool is_folded(std::string_view name, std::string_view value) const {
    std::less<> const before;
    auto const* const name_end = name.data() + name.size();
    auto const* const end = bytes_.data() + bytes_.size();
    if (before(value.data(), name_end) || before(end, value.data() + value.size())) return true;
    return std::string_view(name_end, static_cast<std::size_t>(value.data() - name_end)).find('\n') !=
           std::string_view::npos;
  }

  // It parses no bodies: put() is called once, and stops after the head.
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(beast_text, error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, beast_text, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast_text, error_code&) override { return 0; }
  void on_finish_impl(error_code&) override {}

  std::string_view bytes_;
  std::vector<header_field>& fields_;
  bool wrong_version_ = false;
};

}  // namespace cooldown::http
