// Parts of the text of arrays, composites, ranges and hstore: what is in quotes, and what is not.
#pragma once

#include <cstring>
#include <string>
#include <string_view>

namespace arrowcdc {

class QuotedText {
 public:
  explicit QuotedText(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  const char* at() const { return at_; }
  bool AtEnd() const { return at_ == end_; }
  bool StartsWith(char c) const { return at_ != end_ && *at_ == c; }
  bool Take(char c) {
    if (!StartsWith(c)) return false;
    ++at_;
    return true;
  }
  bool Take(std::string_view word) {
    if (!std::string_view(at_, static_cast<size_t>(end_ - at_)).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  // What stands in quotes here, without its escapes: \c is c, and "" a quote. In place where it has none,
  // else in *scratch. False: nothing in quotes is here, or it does not end.
  bool TakeQuoted(std::string* scratch, std::string_view* text) {
    const char* p = at_;
    if (p == end_ || *p != '"') return false;
    const char* const begin = ++p;
    const char* plain = p;  // what is behind it is not in *scratch yet
    bool escaped = false;
    for (; p != end_; ++p) {
      if (*p != '"' && *p != '\\') continue;
      const bool ends = *p == '"' && (p + 1 == end_ || p[1] != '"');
      if (ends && !escaped) {
        *text = std::string_view(begin, static_cast<size_t>(p - begin));
      } else {
        if (!escaped) scratch->clear();
        escaped = true;
        scratch->append(plain, static_cast<size_t>(p - plain));
        *text = *scratch;
      }
      if (ends) {
        at_ = p + 1;
        return true;
      }
      if (++p == end_) return false;
      plain = p;  // the character that was escaped
    }
    return false;
  }

  // What stands here up to one of the two characters; it may be nothing. False: neither follows.
  bool TakePlain(char stop, char other_stop, std::string_view* text) {
    const char* p = at_;
    while (p != end_ && *p != stop && *p != other_stop) ++p;
    if (p == end_) return false;
    *text = std::string_view(at_, static_cast<size_t>(p - at_));
    at_ = p;
    return true;
  }

 private:
  const char* at_;
  const char* end_;
};

}  // namespace arrowcdc
