// Containers on the way to what changes are unfolded, one level each; all others stay the bytes they are.
#include "src/mysql/decode/json_diff.h"

#include <charconv>
#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "src/mysql/decode/byte_cursor.h"
#include "src/mysql/decode/json_text.h"

namespace arrowcdc::mysql {
namespace {

using Outcome = JsonDiffOutcome;

// As MySQL sorts the members of an object: shorter keys first.
struct KeyOrder {
  bool operator()(const std::string& a, const std::string& b) const {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  }
};

struct Node {
  using Object = std::map<std::string, Node, KeyOrder>;
  using Array = std::vector<Node>;

  JsonValue folded;           // where `object` and `array` are not there
  size_t document_bytes = 0;  // of the document that `folded` is of
  std::unique_ptr<Object> object = nullptr;
  std::unique_ptr<Array> array = nullptr;

  // False: the bytes are unsound. A scalar stays one.
  bool Unfold() {
    if (object != nullptr || array != nullptr || !IsJsonContainer(folded)) return true;
    JsonContainer container;
    if (!OpenJsonContainer(folded, &container)) return false;
    if (container.is_object) {
      object = std::make_unique<Object>();
    } else {
      array = std::make_unique<Array>();
    }
    for (uint32_t i = 0; i < container.count; ++i) {
      JsonEntry entry;
      if (!ReadJsonEntry(container, i, &entry)) return false;
      Node node;
      node.folded = entry.value;
      node.document_bytes = document_bytes;
      if (container.is_object) {
        object->insert_or_assign(std::string(AsText(entry.key)), std::move(node));
      } else {
        array->push_back(std::move(node));
      }
    }
    return true;
  }

  bool AppendText(int depth, std::string* text) const {
    if (depth >= kJsonDepthMax) return false;
    bool is_first = true;
    const auto separate = [&] {
      if (!std::exchange(is_first, false)) *text += ", ";
    };
    if (object != nullptr) {
      *text += '{';
      for (const auto& [key, member] : *object) {
        separate();
        AppendJsonString({reinterpret_cast<const uint8_t*>(key.data()), key.size()}, text);
        *text += ": ";
        if (!member.AppendText(depth + 1, text)) return false;
      }
      *text += '}';
      return true;
    }
    if (array != nullptr) {
      *text += '[';
      for (const Node& element : *array) {
        separate();
        if (!element.AppendText(depth + 1, text)) return false;
      }
      *text += ']';
      return true;
    }
    return AppendJsonText(folded, depth, text->size() + JsonTextBytesMax(document_bytes), text);
  }
};

// A member's name or an element's place.
using Leg = std::variant<std::string, uint64_t>;

// Four digits of hexadecimal, as UTF-8: MySQL escapes no more than control characters so.
bool AppendEscapedNumber(std::string_view digits, std::string* name) {
  unsigned number = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  if (digits.size() != 4 || result.ptr != digits.data() + digits.size() || number >= 0x80) return false;
  *name += static_cast<char>(number);
  return true;
}

// A name in double quotes, with JSON's escapes; `path` begins behind the first quote.
bool ReadQuotedName(std::string_view* path, std::string* name) {
  static constexpr std::string_view kLetters = "btnfr\"\\/";
  static constexpr std::string_view kEscaped = "\b\t\n\f\r\"\\/";
  while (!path->empty()) {
    const char c = path->front();
    path->remove_prefix(1);
    if (c == '"') return true;
    if (c != '\\') {
      *name += c;
      continue;
    }
    if (path->empty()) return false;
    const char letter = path->front();
    path->remove_prefix(1);
    const size_t place = kLetters.find(letter);
    if (place != kLetters.npos) {
      *name += kEscaped[place];
    } else if (letter == 'u' && path->size() >= 4) {
      if (!AppendEscapedNumber(path->substr(0, 4), name)) return false;
      path->remove_prefix(4);
    } else {
      return false;
    }
  }
  return false;
}

// "$.name", "$.\"name\"", "$[3]", and one after the other.
bool ParsePath(std::string_view path, std::vector<Leg>* legs) {
  if (path.empty() || path.front() != '$') return false;
  path.remove_prefix(1);
  while (!path.empty()) {
    const char kind = path.front();
    path.remove_prefix(1);
    if (kind == '[') {
      uint64_t place = 0;
      const auto result = std::from_chars(path.data(), path.data() + path.size(), place);
      path.remove_prefix(static_cast<size_t>(result.ptr - path.data()));
      if (result.ec != std::errc() || path.empty() || path.front() != ']') return false;
      path.remove_prefix(1);
      legs->emplace_back(place);
    } else if (kind == '.' && !path.empty() && path.front() == '"') {
      path.remove_prefix(1);
      std::string name;
      if (!ReadQuotedName(&path, &name)) return false;
      legs->emplace_back(std::move(name));
    } else if (kind == '.') {
      const size_t end = std::min(path.find_first_of(".["), path.size());
      if (end == 0) return false;
      legs->emplace_back(std::string(path.substr(0, end)));
      path.remove_prefix(end);
    } else {
      return false;
    }
  }
  return !legs->empty() && legs->size() <= kJsonDepthMax;
}

// The child of a node that is unfolded; null: there is none.
Node* Child(Node* node, const Leg& leg) {
  if (node->object != nullptr && std::holds_alternative<std::string>(leg)) {
    const auto found = node->object->find(std::get<std::string>(leg));
    return found == node->object->end() ? nullptr : &found->second;
  }
  if (node->array != nullptr && std::holds_alternative<uint64_t>(leg)) {
    const uint64_t place = std::get<uint64_t>(leg);
    return place < node->array->size() ? &(*node->array)[place] : nullptr;
  }
  return nullptr;
}

Outcome Insert(Node* parent, const Leg& leg, Node node) {
  if (parent->object != nullptr && std::holds_alternative<std::string>(leg)) {
    const bool is_new = parent->object->emplace(std::get<std::string>(leg), std::move(node)).second;
    return is_new ? Outcome::kApplied : Outcome::kUnfit;
  }
  if (parent->array != nullptr && std::holds_alternative<uint64_t>(leg)) {
    const uint64_t place = std::min<uint64_t>(std::get<uint64_t>(leg), parent->array->size());
    parent->array->insert(parent->array->begin() + static_cast<ptrdiff_t>(place), std::move(node));
    return Outcome::kApplied;
  }
  return Outcome::kUnfit;
}

void Remove(Node* parent, const Leg& leg) {
  if (parent->object != nullptr) {
    parent->object->erase(std::get<std::string>(leg));
  } else {
    parent->array->erase(parent->array->begin() + static_cast<ptrdiff_t>(std::get<uint64_t>(leg)));
  }
}

enum Operation : uint8_t { kReplace = 0, kInsert = 1, kRemove = 2 };

Outcome ApplyOne(uint8_t operation, const std::vector<Leg>& path, Node value, Node* root) {
  Node* parent = root;
  for (size_t i = 0; i < path.size(); ++i) {
    if (!parent->Unfold()) return Outcome::kFault;
    if (i + 1 == path.size()) break;
    parent = Child(parent, path[i]);
    if (parent == nullptr) return Outcome::kUnfit;
  }
  if (operation == kInsert) return Insert(parent, path.back(), std::move(value));
  Node* const child = Child(parent, path.back());
  if (child == nullptr) return Outcome::kUnfit;
  if (operation == kReplace) {
    *child = std::move(value);
  } else {
    Remove(parent, path.back());
  }
  return Outcome::kApplied;
}

}  // namespace

JsonDiffOutcome ApplyJsonDiffs(std::span<const uint8_t> document, std::span<const uint8_t> diffs,
                               std::string* text) {
  Node root;
  root.folded = JsonDocument(document);
  root.document_bytes = document.size();
  ByteCursor cursor(diffs);
  while (cursor.left() > 0) {
    uint8_t operation;
    std::span<const uint8_t> path;
    std::span<const uint8_t> bytes;
    std::vector<Leg> legs;
    if (!cursor.Read<1>(&operation) || operation > kRemove || !cursor.ReadPackedBytes(&path) ||
        !ParsePath(AsText(path), &legs) || (operation != kRemove && !cursor.ReadPackedBytes(&bytes))) {
      return Outcome::kFault;
    }
    Node value;
    value.folded = JsonDocument(bytes);
    value.document_bytes = bytes.size();
    const Outcome outcome = ApplyOne(operation, legs, std::move(value), &root);
    if (outcome != Outcome::kApplied) return outcome;
  }
  text->clear();
  return root.AppendText(0, text) ? Outcome::kApplied : Outcome::kFault;
}

}  // namespace arrowcdc::mysql
