#include "support/tcp.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <poll.h>
#include <unistd.h>

namespace cooldown::testing {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

std::string lower(std::string s) {
  for (char& c : s) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return s;
}

void parse_head(const std::string& head, http_response& r) {
  r.raw_head = head;
  if (head.size() > 12) r.status = std::atoi(head.c_str() + 9);
  for (auto at = head.find("\r\n"); at != std::string::npos && at + 2 < head.size();) {
    auto const end = head.find("\r\n", at + 2);
    auto const line = head.substr(at + 2, end - at - 2);
    if (auto const colon = line.find(':'); colon != std::string::npos) {
      auto value = line.substr(colon + 1);
      value.erase(0, value.find_first_not_of(' '));
      r.fields[lower(line.substr(0, colon))] = value;
    }
    at = end;
  }
}

}  // namespace

tcp_client::tcp_client(std::uint16_t port, const char* host) {
  if (std::strchr(host, ':')) {
    fd_ = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in6 a{};
    a.sin6_family = AF_INET6;
    a.sin6_port = htons(port);
    a.sin6_addr = in6addr_loopback;
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&a), sizeof a) != 0) throw std::runtime_error("connect");
  } else {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto a = loopback(port);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&a), sizeof a) != 0)
      throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
  }
  int const on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

tcp_client::~tcp_client() {
  close();
}

void tcp_client::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void tcp_client::reset() {
  linger const l{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &l, sizeof l);
  close();
}

void tcp_client::shutdown_send() const {
  ::shutdown(fd_, SHUT_WR);
}

bool tcp_client::send(const std::string& bytes) const {
  std::size_t done = 0;
  while (done < bytes.size()) {
    auto const n = ::send(fd_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (n <= 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

std::string tcp_client::read_some(std::chrono::milliseconds limit) {
  if (!buffer_.empty()) return std::exchange(buffer_, {});
  pollfd p{fd_, POLLIN, 0};
  if (::poll(&p, 1, static_cast<int>(limit.count())) <= 0) return {};
  std::string out(64 * 1024, '\0');
  auto const n = ::recv(fd_, out.data(), out.size(), 0);
  if (n < 0 && errno == ECONNRESET) reset_ = true;
  if (n == 0) closed_ = true;
  out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return out;
}

std::string tcp_client::read_until(const std::string& end, std::chrono::milliseconds limit) {
  std::string out;
  for (;;) {
    auto const some = read_some(limit);
    if (some.empty()) return out;
    out += some;
    if (auto const at = out.find(end); at != std::string::npos) {
      buffer_ = out.substr(at + end.size());
      out.resize(at + end.size());
      return out;
    }
  }
}

std::string tcp_client::read_exactly(std::size_t n, std::chrono::milliseconds limit) {
  std::string out;
  while (out.size() < n) {
    auto some = read_some(limit);
    if (some.empty()) return out;
    out += some;
  }
  buffer_ = out.substr(n);
  out.resize(n);
  return out;
}

std::string tcp_client::read_all(std::chrono::milliseconds limit) {
  std::string out;
  for (;;) {
    auto const some = read_some(limit);
    if (some.empty()) return out;
    out += some;
  }
}

bool tcp_client::ends(std::chrono::milliseconds limit) {
  while (!read_some(limit).empty()) continue;
  return closed_ || reset_;
}

std::string http_response::field(const std::string& name) const {
  auto const found = fields.find(lower(name));
  return found == fields.end() ? "" : found->second;
}

http_response read_response(tcp_client& from, const std::string& method) {
  http_response r;
  std::string head;
  do {
    r = {};
    head = from.read_until("\r\n\r\n");
    if (head.size() < 4 || head.compare(head.size() - 4, 4, "\r\n\r\n") != 0) {
      r.raw_head = head;
      return r;
    }
    parse_head(head, r);
  } while (r.status >= 100 && r.status < 200);
  if (method == "HEAD" || r.status == 204 || r.status == 304) {
    r.complete = true;
  } else if (lower(r.field("transfer-encoding")) == "chunked") {
    for (;;) {
      auto const line = from.read_until("\r\n");
      if (line.size() < 3 || line.compare(line.size() - 2, 2, "\r\n") != 0) return r;
      auto const size = std::stoul(line, nullptr, 16);
      auto const data = from.read_exactly(size + 2);
      if (data.size() < size + 2) {
        r.body += data;
        return r;
      }
      if (size == 0) break;
      r.body += data.substr(0, size);
    }
    r.complete = true;
  } else if (r.fields.count("content-length") != 0) {
    auto const size = std::stoul(r.field("content-length"));
    r.body = from.read_exactly(size);
    r.complete = r.body.size() == size;
  } else {
    r.body = from.read_all();
    r.complete = !from.was_reset();
  }
  return r;
}

http_response fetch(std::uint16_t port, const std::string& request, const std::string& method) {
  tcp_client c(port);
  c.send(request);
  return read_response(c, method);
}

std::string get_request(const std::string& path, const std::string& fields) {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n";
}

std::string post_request(const std::string& path, const std::string& body, const std::string& fields) {
  return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n" + fields + "\r\n" + body;
}

std::string chat_body(const std::string& model, int max_tokens, bool stream, const std::string& text) {
  return R"({"model":")" + model + R"(","messages":[{"role":"user","content":")" + text +
         R"("}],"max_completion_tokens":)" + std::to_string(max_tokens) + (stream ? R"(,"stream":true})" : "}");
}

fake_upstream::fake_upstream(handler h, std::uint16_t port, const char* host) : handler_(std::move(h)) {
  bool const v6 = std::strchr(host, ':') != nullptr;
  sockaddr_storage a{};
  socklen_t size = sizeof(sockaddr_in);
  if (v6) {
    auto* const in6 = reinterpret_cast<sockaddr_in6*>(&a);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    in6->sin6_addr = in6addr_loopback;
    size = sizeof(sockaddr_in6);
  } else {
    *reinterpret_cast<sockaddr_in*>(&a) = loopback(port);
  }
  listener_ = ::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int const on = 1;
  ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&a), size) != 0 || ::listen(listener_, 4096) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&a), &size) != 0)
    throw std::runtime_error("fake upstream cannot listen");
  port_ = ntohs(reinterpret_cast<sockaddr_in*>(&a)->sin_port);  // at the same place in both
  accepting_ = std::thread([this] {
    for (;;) {
      int const fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0 || stop_) {
        if (fd >= 0) ::close(fd);
        return;
      }
      int const on_too = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on_too, sizeof on_too);
      std::lock_guard const lock(mutex_);
      open_.push_back(fd);
      threads_.emplace_back([this, fd, n = connections_++] { serve(fd, n); });
    }
  });
}

fake_upstream::~fake_upstream() {
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

std::vector<fake_upstream::seen_request> fake_upstream::seen() const {
  std::lock_guard const lock(mutex_);
  return seen_;
}

bool fake_upstream::wait_for(std::size_t n, std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] { return seen_.size() >= n; });
}

void fake_upstream::serve(int fd, int number) {
  tcp_client c(fd);
  for (bool more = true; more && !stop_;) {
    seen_request r;
    r.head = c.read_until("\r\n\r\n", std::chrono::hours{1});
    if (r.head.size() < 4) break;
    http_response fields;
    parse_head(r.head, fields);
    if (auto const n = fields.field("content-length"); !n.empty()) r.body = c.read_exactly(std::stoul(n));
    r.at = std::chrono::steady_clock::now();
    r.connection = number;
    {
      std::lock_guard const lock(mutex_);
      r.number = static_cast<int>(seen_.size());
      seen_.push_back(r);
      changed_.notify_all();
    }
    more = handler_(r, c);
  }
  std::lock_guard const lock(mutex_);
  open_.remove(fd);
  c.close();
}

std::string ok_response(const std::string& body, const std::string& fields, int status) {
  return "HTTP/1.1 " + std::to_string(status) +
         " Any\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + fields +
         "\r\n" + body;
}

std::string completion(int prompt_tokens, int completion_tokens) {
  return R"({"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},)"
         R"("finish_reason":"stop"}],"usage":{"prompt_tokens":)" +
         std::to_string(prompt_tokens) + R"(,"completion_tokens":)" + std::to_string(completion_tokens) +
         R"(,"total_tokens":)" + std::to_string(prompt_tokens + completion_tokens) + "}}";
}

std::uint16_t closed_port() {
  // It stays bound, so that no other test gets it. Who binds it with SO_REUSEADDR, as servers do, gets it all the same.
  int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int const on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  auto a = loopback(0);
  socklen_t size = sizeof a;
  auto* const any = reinterpret_cast<sockaddr*>(&a);
  if (::bind(fd, any, size) != 0 || ::getsockname(fd, any, &size) != 0)
    throw std::runtime_error("no port can be bound");
  return ntohs(a.sin_port);
}

}  // namespace cooldown::testing
