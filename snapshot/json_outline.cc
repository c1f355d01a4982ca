#include "snapshot/json_outline.h"

#include "absl/container/flat_hash_map.h"
#include "base/status.h"

namespace daybook {
namespace {

// One of 64 bits for a key: keys that differ in it are not the same.
std::uint64_t KeyBit(std::string_view key) {
  if (key.empty()) return 1;
  const auto first = static_cast<unsigned char>(key.front());
  const auto last = static_cast<unsigned char>(key.back());
  return std::uint64_t{1} << ((key.size() * 29 + first * 7U + last * 3U) & 63);
}

// From so many fields on, repeated keys are found by hash.
constexpr std::uint32_t kManyFields = 24;

}  // namespace

absl::Status JsonOutline::Parse(std::string_view text, std::string_view what) {
  text_ = text;
  entries_.clear();
  open_.clear();
  keys_.clear();
  JsonScanner scanner(text);
  return ParseValue(&scanner) ? absl::OkStatus() : scanner.ToStatus(what);
}

bool JsonOutline::ParseValue(JsonScanner* scanner) {
  entries_.emplace_back();
  if (!BeginValue(scanner, 0) || !ParseFields(scanner)) return false;
  scanner->SkipSpace();
  return scanner->at_end() || scanner->Fail("text after the value");
}

bool JsonOutline::ParseFields(JsonScanner* scanner) {
  while (!open_.empty()) {
    const bool is_first = entries_[open_.back()].first == count();
    scanner->SkipSpace();
    if (scanner->Consume('}')) {
      CloseObject(scanner->at());
    } else if (!is_first && !scanner->Consume(',')) {
      return scanner->Fail("a comma or a closing brace is missing");
    } else if (!AddField(scanner)) {
      return false;
    }
  }
  return true;
}

// The value of an entry: all of it, or the brace that opens it.
bool JsonOutline::BeginValue(JsonScanner* scanner, std::uint32_t entry) {
  scanner->SkipSpace();
  const std::size_t begin = scanner->at();
  if (!scanner->Consume('{')) {
    if (!scanner->SkipValue(open_.size())) return false;
    entries_[entry].value = text_.substr(begin, scanner->at() - begin);
    entries_[entry].next = count();
    return true;
  }
  if (open_.size() == kJsonDepthMax) return scanner->Fail("nested too deep");
  entries_[entry].value = text_.substr(begin);
  entries_[entry].is_object = true;
  entries_[entry].first = count();
  open_.push_back(entry);
  return true;
}

bool JsonOutline::AddField(JsonScanner* scanner) {
  scanner->SkipSpace();
  const std::size_t begin = scanner->at() + 1;
  if (!scanner->SkipString()) return false;
  std::string_view key = text_.substr(begin, scanner->at() - 1 - begin);
  scanner->SkipSpace();
  if (!scanner->Consume(':')) return scanner->Fail("a colon is missing");
  if (key.find('\\') != std::string_view::npos) {
    key = keys_.emplace_back(CanonicalJsonKey(key));
  }
  entries_.emplace_back().key = key;
  return BeginValue(scanner, count() - 1);
}

void JsonOutline::CloseObject(std::size_t at) {
  Entry& object = entries_[open_.back()];
  open_.pop_back();
  const auto begin = static_cast<std::size_t>(object.value.data() - text_.data());
  object.value = text_.substr(begin, at - begin);
  object.end = object.next = count();
  JoinRepeated(object);
}

void JsonOutline::JoinRepeated(const Entry& object) {
  std::uint64_t bits = 0;
  std::uint32_t fields = 0;
  absl::flat_hash_map<absl::string_view, Entry*> seen;
  for (std::uint32_t i = object.first; i != object.end; i = entries_[i].next) {
    Entry& field = entries_[i];
    const std::uint64_t bit = KeyBit(field.key);
    const bool maybe_repeated = (bits & bit) != 0;
    bits |= bit;
    if (++fields <= kManyFields) {
      Entry* const earlier = maybe_repeated ? Earlier(object, field) : nullptr;
      if (earlier != nullptr) TakeOver(earlier, &field);
      continue;
    }
    if (seen.empty()) {
      for (std::uint32_t j = object.first; j != i; j = entries_[j].next) {
        if (!entries_[j].repeated) seen.emplace(ToAbsl(entries_[j].key), &entries_[j]);
      }
    }
    const auto [place, is_new] = seen.emplace(ToAbsl(field.key), &field);
    if (!is_new) TakeOver(place->second, &field);
  }
}

// The field of the same key that stands before `field`.
JsonOutline::Entry* JsonOutline::Earlier(const Entry& object, const Entry& field) {
  for (std::uint32_t i = object.first; &entries_[i] != &field; i = entries_[i].next) {
    if (!entries_[i].repeated && entries_[i].key == field.key) return &entries_[i];
  }
  return nullptr;
}

void JsonOutline::TakeOver(Entry* earlier, Entry* later) {
  earlier->value = later->value;
  earlier->is_object = later->is_object;
  earlier->first = later->first;
  earlier->end = later->end;
  later->repeated = true;
}

}  // namespace daybook
