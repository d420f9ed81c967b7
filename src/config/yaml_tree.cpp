#include "yaml_tree.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <sstream>
#include <utility>

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

namespace cooldown::config {
namespace {

constexpr std::size_t deepest = 32;
constexpr std::size_t most_values = 10'000;

/// Converts yaml-cpp's marks to positions. Something missing at the end of the text is reported at its last line, not
/// below it.
class places {
 public:
  explicit places(std::string_view text) {
    while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
    auto const line_at = text.rfind('\n');
    auto const length = line_at == std::string_view::npos ? text.size() : text.size() - line_at - 1;
    end_ = {static_cast<int>(std::count(text.begin(), text.end(), '\n')) + 1, static_cast<int>(length) + 1};
  }
  place of(const YAML::Mark& mark) const {
    return mark.line >= end_.line ? end_ : place{std::max(mark.line, 0) + 1, std::max(mark.column, 0) + 1};
  }

 private:
  place end_;
};

/// Builds the tree; throws a yaml_error to end the parse.
class tree_builder final : public YAML::EventHandler {
 public:
  explicit tree_builder(const places& where) : where_(where) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) throw yaml_error{where_.of(mark), "only one document is allowed; a second one begins here"};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(make(yaml_node::kind::null, mark, {}, anchor));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    auto node = make(yaml_node::kind::null, mark, {}, YAML::NullAnchor);
    node.refusal = "aliases are not supported; write the value out, in quotes if it begins with '*'";
    add(std::move(node));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    auto node = make(yaml_node::kind::scalar, mark, tag, anchor);
    node.text = value;
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(make(yaml_node::kind::list, mark, tag, anchor));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(make(yaml_node::kind::map, mark, tag, anchor));
  }
  void OnMapEnd() override { close(); }

  yaml_node take() { return std::move(root_); }

 private:
  struct frame {
    yaml_node node;
    std::optional<yaml_node> key;  // read, its value not yet
  };

  yaml_node make(yaml_node::kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (++values_ > most_values) throw yaml_error{where_.of(mark), "too many values for a configuration"};
    yaml_node node;
    node.type = kind;
    node.at = where_.of(mark);
    // "?" and "!" are what yaml-cpp calls a plain and a quoted scalar without a tag.
    bool const usual = tag.empty() || tag == "?" || tag == "!" || tag.starts_with("tag:yaml.org,2002:");
    if (!usual) node.refusal = "tags are not supported; a value that begins with '!' needs quotes";
    if (anchor != YAML::NullAnchor)
      node.refusal = "anchors are not supported; a value that begins with '&' needs quotes";
    return node;
  }

  void open(yaml_node node) {
    if (open_.size() >= deepest) throw yaml_error{node.at, "nested too deeply"};
    open_.push_back({std::move(node), std::nullopt});
  }

  void close() {
    auto node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node));
  }

  void add(yaml_node node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    auto& parent = open_.back();
    if (parent.node.type != yaml_node::kind::map) {
      parent.node.items.push_back(std::move(node));
      return;
    }
    if (!parent.key) {
      parent.key = std::move(node);
      return;
    }
    // yaml-cpp reports a missing value at the next token, often a line below.
    if (node.type == yaml_node::kind::null && node.refusal.empty()) node.at = parent.key->at;
    parent.node.entries.push_back({std::move(*parent.key), std::move(node)});
    parent.key.reset();
  }

  const places& where_;
  yaml_node root_;
  std::vector<frame> open_;
  std::size_t values_ = 0;
  int documents_ = 0;
};

bool is_indented_by_tab(std::string_view text, place at) {
  for (int line = 1; line < at.line; ++line) {
    auto const end = text.find('\n');
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
  }
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return text.starts_with('\t');
}

/// yaml-cpp's message, with a hint if it is terse. Text after a colon is dropped because it quotes the document.
std::string explain(std::string_view message, std::string_view text, place at) {
  struct hint {
    std::string_view begins;
    std::string_view says;
  };
  constexpr std::string_view tab = "a tab is used for indentation; use spaces";
  constexpr std::array hints{
      hint{"illegal tab", tab},
      hint{"illegal map value",
           "unexpected ':'; a value that contains ': ' needs quotes, and keys of one map are indented alike"},
      hint{"end of map not found", "the keys of this map are not indented alike, or a line has no ':'"},
      hint{"end of map flow", "'{' without its '}', or a ',' is missing, or a ${NAME} in it needs quotes"},
      hint{"end of sequence flow", "'[' without its ']', or a ',' is missing"},
      hint{"illegal EOF in scalar", "a quote is not closed"},
      hint{"illegal document indicator in scalar", "a quote is not closed"},
      hint{"the referenced anchor", "a value that begins with '*' needs quotes"},
      hint{"unknown token", "unexpected character; a value that begins with '@', '`' or '%' needs quotes"}};
  std::string explained = "not valid YAML: ";
  if (is_indented_by_tab(text, at)) return explained.append(tab);
  for (auto const& h : hints)
    if (message.starts_with(h.begins)) return explained.append(h.says);
  return explained.append(message.substr(0, message.find(':')));
}

/// yaml-cpp takes byte 4 for the end of the file and guesses UTF-16 from zeros; both are rejected here, as YAML
/// requires.
std::optional<yaml_error> find_forbidden_byte(std::string_view text) {
  place at{1, 1};
  for (char const c : text) {
    auto const byte = static_cast<unsigned char>(c);
    bool const forbidden = (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f || byte >= 0xfe;
    if (forbidden && (byte == 0 || byte >= 0xfe)) return yaml_error{at, "not UTF-8 text; save the file as UTF-8"};
    if (forbidden) return yaml_error{at, "control characters are not allowed"};
    ++at.column;
    if (c == '\n') at = {at.line + 1, 1};
  }
  return std::nullopt;
}

/// Another program's format: "[server]" and then "port = 1", which YAML takes for a list and a second document.
bool looks_like_toml(std::string_view text) {
  auto const begin = text.find_first_not_of(" \t\r\n");
  return begin != std::string_view::npos && text[begin] == '[' && text.find(" = ", begin) != std::string_view::npos;
}

}  // namespace

std::variant<yaml_node, yaml_error> read_yaml(std::string_view text) {
  if (looks_like_toml(text))
    return yaml_error{{1, 1}, "this is not YAML: write 'server:' instead of '[server]', and 'port: 1'"};
  if (auto bad = find_forbidden_byte(text)) return *std::move(bad);
  places const where(text);
  try {
    // yaml-cpp silently closes an open quote at the end of the file, but not at the end of a document.
    std::istringstream in(std::string(text) + "\n...\n");
    YAML::Parser parser(in);
    tree_builder builder(where);
    while (parser.HandleNextDocument(builder)) continue;
    return builder.take();
  } catch (yaml_error& error) {
    return std::move(error);
  } catch (const YAML::Exception& error) {
    auto const at = where.of(error.mark);
    return yaml_error{at, explain(error.msg, text, at)};
  }
}

}  // namespace cooldown::config
