#include "index/index_testing.h"

namespace daybook::testing {
namespace {

using Locals = std::vector<std::uint32_t>;

// The locals whose event matches, ascending, below a limit.
template <class Match>
Locals Matching(const std::vector<ModelEvent>& events, std::uint64_t limit, const Match& match) {
  Locals locals;
  for (std::uint32_t i = 0; i < std::min<std::uint64_t>(limit, events.size()); ++i) {
    if (!events[i].lost && match(events[i])) locals.push_back(i);
  }
  return locals;
}

bool Holds(const Locals& all, const Locals& some) {
  return std::includes(all.begin(), all.end(), some.begin(), some.end());
}

template <class Find, class ValueOf>
void CheckColumn(const std::vector<ModelEvent>& events, const ColumnView& column, const Find& find,
                 const ValueOf& value_of) {
  std::map<std::string, std::uint64_t> counts;
  for (const ModelEvent& event : events) {
    if (!event.lost) ++counts[value_of(event)];
  }
  std::map<std::string, std::uint32_t> numbers;
  std::set<std::uint32_t> distinct;
  bool good = true;
  for (const auto& [value, count] : counts) {
    const std::optional<Term> term = find(value);
    good = good && term && term->events == count && distinct.insert(term->number).second;
    if (term) numbers[value] = term->number;
  }
  REQUIRE(good);
  for (std::uint32_t i = 0; i < events.size(); ++i) {
    good = good && (events[i].lost ? !distinct.contains(column.At(i))
                                   : column.At(i) == numbers[value_of(events[i])]);
  }
  REQUIRE(good);
  REQUIRE(find("no event has this") == std::nullopt);
  REQUIRE(find("") == std::nullopt);
}

void CheckArrays(const SegmentIndex& index, const std::vector<ModelEvent>& events) {
  REQUIRE(index.count() == events.size());
  SegmentIndex::EffectiveBounds bounds;
  std::int64_t sample = std::numeric_limits<std::int64_t>::min();
  bool good = true;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const ModelEvent& event = events[i];
    good = good && std::memcmp(&index.links()[i], &event.link, sizeof(Link)) == 0;
    if (!event.lost) {
      sample = event.recorded_at;
      bounds.min = std::min(bounds.min, event.effective_at);
      bounds.max = std::max(bounds.max, event.effective_at);
    }
    if (i % kTimeSampleEvery == 0)
      good = good && index.time_samples()[i / kTimeSampleEvery] == sample;
  }
  REQUIRE(good);
  REQUIRE(index.effective_bounds().min == bounds.min);
  REQUIRE(index.effective_bounds().max == bounds.max);
}

void CheckTags(const SegmentIndex& index, const ModelSegment& model) {
  std::map<std::string, Locals> by_tag;
  for (std::uint32_t i = 0; i < model.events().size(); ++i) {
    if (model.events()[i].lost) continue;
    for (const std::string& tag : model.events()[i].tags) by_tag[tag].push_back(i);
  }
  Locals found = {1, 2, 3};
  bool good = true;
  for (const auto& [tag, locals] : by_tag) {
    index.FindTag(TagHash(tag), UINT64_MAX, &found);
    good = good && found == locals;
    for (const std::uint64_t limit : {std::uint64_t{0}, std::uint64_t{locals.back()},
                                      std::uint64_t{locals[locals.size() / 2]} + 1}) {
      index.FindTag(TagHash(tag), limit, &found);
      good = good &&
             found == Locals(locals.begin(), std::lower_bound(locals.begin(), locals.end(), limit));
    }
  }
  index.FindTag(TagHash("no event has this"), UINT64_MAX, &found);
  REQUIRE(good);
  REQUIRE(found.empty());
}

void CheckIds(const SegmentIndex& index, const ModelSegment& model, Keeps keeps) {
  const std::vector<ModelEvent>& events = model.events();
  std::map<std::uint64_t, Locals> by_hash;
  for (std::uint32_t i = 0; i < events.size(); ++i) {
    if (!events[i].lost) by_hash[IdHash(events[i].stream_hash, events[i].id)].push_back(i);
  }
  Locals found = {1, 2, 3};
  bool good = true;
  for (const auto& [hash, locals] : by_hash) {
    index.FindId(hash, UINT64_MAX, &found);
    good = good && (keeps == Keeps::kWholeHash ? found == locals : Holds(found, locals));
    index.FindId(hash, locals.back(), &found);
    good = good && Holds(found, Locals(locals.begin(), locals.end() - 1));
    good = good && (found.empty() || found.back() < locals.back());
  }
  REQUIRE(good);
  std::size_t strays = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    index.FindId(StreamHash(absl::StrCat("nobody's", i)), UINT64_MAX, &found);
    strays += found.size();
  }
  REQUIRE(strays <= 2);
}

void CheckHeads(const SegmentIndex& index, const ModelSegment& model, Keeps keeps) {
  const std::vector<ModelEvent>& events = model.events();
  std::map<std::string, std::uint32_t> heads;
  std::map<std::uint64_t, std::set<std::string>> sharing;
  const auto kept = [&](std::uint64_t hash) {
    return keeps == Keeps::kWholeHash ? hash : hash >> 32;
  };
  for (std::uint32_t i = 0; i < events.size(); ++i) {
    if (events[i].lost) continue;
    heads[events[i].stream] = i;
    sharing[kept(events[i].stream_hash)].insert(events[i].stream);
  }
  Locals found = {1, 2, 3};
  bool good = true;
  for (const auto& [stream, head] : heads) {
    const std::string& name = stream;  // clang 14 captures no structured binding
    const std::uint64_t hash = events[head].stream_hash;
    index.FindHead(hash, &found);
    good = good && std::is_sorted(found.rbegin(), found.rend());
    const auto mine = std::find_if(found.begin(), found.end(), [&](std::uint32_t local) {
      return events[local].stream == name;
    });
    good = good && mine != found.end() && *mine == head;
    if (model.shape().lost == 0) good = good && found.size() == sharing[kept(hash)].size();
  }
  REQUIRE(good);
  index.FindHead(StreamHash("no such stream"), &found);
  REQUIRE(found.empty());

  index.AllHeads(&found);
  std::sort(found.begin(), found.end());
  Locals expected;
  for (const auto& [stream, head] : heads) expected.push_back(head);
  std::sort(expected.begin(), expected.end());
  REQUIRE((model.shape().lost == 0 ? found == expected : Holds(found, expected)));
  REQUIRE(std::none_of(found.begin(), found.end(),
                       [&](std::uint32_t local) { return events[local].lost; }));
}

}  // namespace

void CheckIndex(const SegmentIndex& index, const ModelSegment& model, Keeps keeps) {
  REQUIRE(index.first_position() == model.shape().first_position);
  CheckArrays(index, model.events());
  CheckColumn(
      model.events(), index.types(), [&](std::string_view v) { return index.FindType(v); },
      [](const ModelEvent& e) { return e.type; });
  CheckColumn(
      model.events(), index.categories(), [&](std::string_view v) { return index.FindCategory(v); },
      [](const ModelEvent& e) { return std::string(CategoryOf(e.stream)); });
  CheckTags(index, model);
  CheckIds(index, model, keeps);
  CheckHeads(index, model, keeps);
}

}  // namespace daybook::testing
