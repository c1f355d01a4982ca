#include "read/selector.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>

namespace daybook {
namespace {

// As many locals are looked at together: the compiler compares them with vector instructions.
constexpr std::uint64_t kBlock = 64;
// With no more left it is cheaper to read the events than to intersect with another tag.
constexpr std::size_t kFewLocals = 32;

// Appends the locals in [begin, end) whose number `matches` takes. A block without one costs no
// more than a look at its numbers; in one with some there is no branch to guess.
template <class Number, class Matches>
void CollectWhere(const Number* column, std::uint64_t begin, std::uint64_t end, Matches matches,
                  std::vector<std::uint32_t>* locals) {
  std::array<std::uint32_t, kBlock> found;
  while (begin < end) {
    const std::uint64_t size = std::min(kBlock, end - begin);
    const Number* const numbers = column + begin;
    unsigned any = 0;
    if (size == kBlock) {
      for (std::uint64_t i = 0; i < kBlock; ++i) any |= static_cast<unsigned>(matches(numbers[i]));
    } else {
      for (std::uint64_t i = 0; i < size; ++i) any |= static_cast<unsigned>(matches(numbers[i]));
    }
    if (any != 0) {
      std::size_t count = 0;
      for (std::uint64_t i = 0; i < size; ++i) {
        found[count] = static_cast<std::uint32_t>(begin + i);
        count += static_cast<std::size_t>(matches(numbers[i]));
      }
      locals->insert(locals->end(), found.begin(),
                     found.begin() + static_cast<std::ptrdiff_t>(count));
    }
    begin += size;
  }
}

template <class Matches>
void CollectWhere(const ColumnView& column, std::uint64_t begin, std::uint64_t end, Matches matches,
                  std::vector<std::uint32_t>* locals) {
  switch (column.width) {
    case 1:
      return CollectWhere(static_cast<const std::uint8_t*>(column.data), begin, end, matches,
                          locals);
    case 2:
      return CollectWhere(static_cast<const std::uint16_t*>(column.data), begin, end, matches,
                          locals);
    default:
      return CollectWhere(static_cast<const std::uint32_t*>(column.data), begin, end, matches,
                          locals);
  }
}

}  // namespace

TermSelector::TermSelector(const Terms& terms) : terms_(terms) {
  for (const std::string& tag : terms_.tags) tag_hashes_.push_back(TagHash(tag));
}

TermSelector::Share TermSelector::Enter(const SegmentIndex& index, std::uint64_t begin,
                                        std::uint64_t end) {
  by_type_ = !terms_.types.empty();
  by_category_ = terms_.category.has_value();
  tagged_.clear();
  const SegmentIndex::EffectiveBounds bounds = index.effective_bounds();
  if (bounds.min > terms_.effective_max || bounds.max < terms_.effective_min) return Share::kNone;
  if (by_type_ && !EnterTypes(index)) return Share::kNone;
  if (by_category_) {
    const std::optional<Term> term = index.FindCategory(*terms_.category);
    if (!term) return Share::kNone;
    category_ = term->number;
    categories_ = index.categories();
  }
  if (!tag_hashes_.empty()) {
    EnterTags(index, begin, end);
    return tagged_.empty() ? Share::kNone : Share::kSome;
  }
  return by_type_ || by_category_ ? Share::kSome : Share::kAll;
}

bool TermSelector::EnterTypes(const SegmentIndex& index) {
  type_numbers_.clear();
  for (const std::string& type : terms_.types) {
    if (const std::optional<Term> term = index.FindType(type)) {
      type_numbers_.push_back(term->number);
    }
  }
  if (type_numbers_.empty()) return false;
  types_ = index.types();
  const std::uint32_t largest = *std::max_element(type_numbers_.begin(), type_numbers_.end());
  is_type_.assign(std::size_t{largest} + 2, 0);
  for (const std::uint32_t number : type_numbers_) is_type_[number] = 1;
  return true;
}

void TermSelector::EnterTags(const SegmentIndex& index, std::uint64_t begin, std::uint64_t end) {
  std::vector<std::uint32_t> locals;
  for (std::size_t i = 0; i < tag_hashes_.size(); ++i) {
    if (i > 0 && tagged_.size() <= kFewLocals) break;
    locals.clear();
    index.FindTag(tag_hashes_[i], end, &locals);
    const auto from = std::lower_bound(locals.begin(), locals.end(), begin);
    if (i == 0) {
      tagged_.assign(from, locals.end());
      continue;
    }
    std::vector<std::uint32_t> both;
    std::set_intersection(tagged_.begin(), tagged_.end(), from, locals.end(),
                          std::back_inserter(both));
    tagged_ = std::move(both);
  }
  if (!by_type_ && !by_category_) return;
  std::erase_if(tagged_, [this](std::uint32_t local) { return !HasTerms(local); });
}

bool TermSelector::HasTerms(std::uint32_t local) const {
  if (by_category_ && categories_.At(local) != category_) return false;
  if (!by_type_) return true;
  const std::size_t number = types_.At(local);
  return is_type_[std::min(number, is_type_.size() - 1)] != 0;
}

void TermSelector::Collect(std::uint64_t begin, std::uint64_t end,
                           std::vector<std::uint32_t>* locals) const {
  if (!tag_hashes_.empty()) {
    locals->insert(locals->end(), std::lower_bound(tagged_.begin(), tagged_.end(), begin),
                   std::lower_bound(tagged_.begin(), tagged_.end(), end));
    return;
  }
  const std::size_t before = locals->size();
  if (!by_type_) {
    CollectWhere(
        categories_, begin, end, [category = category_](std::uint32_t n) { return n == category; },
        locals);
    return;
  }
  CollectColumn(types_, begin, end, locals);
  if (!by_category_) return;
  const auto other = [this](std::uint32_t l) { return categories_.At(l) != category_; };
  locals->erase(
      std::remove_if(locals->begin() + static_cast<std::ptrdiff_t>(before), locals->end(), other),
      locals->end());
}

void TermSelector::CollectColumn(const ColumnView& column, std::uint64_t begin, std::uint64_t end,
                                 std::vector<std::uint32_t>* locals) const {
  if (type_numbers_.size() == 1) {
    CollectWhere(
        column, begin, end, [type = type_numbers_[0]](std::uint32_t n) { return n == type; },
        locals);
    return;
  }
  CollectWhere(
      column, begin, end,
      [table = is_type_.data(), above = is_type_.size() - 1](std::size_t n) {
        return table[std::min(n, above)] != 0;
      },
      locals);
}

}  // namespace daybook
