// What was is to be read: nothing can be appended on the strength of a state of the past.

#include "daybook/repository.h"

namespace daybook {

struct CountFold {
  struct State {
    int events = 0;
  };
  static std::string_view id() { return "fold"; }
  static std::uint32_t revision() { return 1; }
  void Apply(State& state, const EventView& /*event*/) const { ++state.events; }
};

using Accounts = Repository<CountFold>;

absl::Status Use(Store& store, const Accounts& accounts) {
  const auto now = accounts.Load("s");
  const auto past = accounts.LoadAt("s", AsOf::AtVersion(Version(1)));
  if (!now.ok() || !past.ok()) return now.status();
#if DAYBOOK_MUST_FAIL == 1
  // must fail 1: (PastState.*Aggregate|no matching|cannot convert|no known conversion|no viable)
  return accounts.Append(store, *past, {}).status();
#elif DAYBOOK_MUST_FAIL == 2
  // must fail 2: (PastState.*Aggregate|conversion from|no viable conversion)
  const Aggregate<CountFold::State> aggregate = *past;
  return accounts.Append(store, aggregate, {}).status();
#elif DAYBOOK_MUST_FAIL == 3
  // must fail 3: has no member named .version|no member named 'version'
  static_cast<void>(past->version());
  return absl::OkStatus();
#elif DAYBOOK_MUST_FAIL == 4
  // must fail 4: (read-only|const-qualified|cannot assign)
  now->state().events = 7;
  return absl::OkStatus();
#else
  return accounts.Append(store, *now, {}).status();
#endif
}

}  // namespace daybook
