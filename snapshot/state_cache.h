// The states that were loaded last, by stream.

#ifndef DAYBOOK_SNAPSHOT_STATE_CACHE_H_
#define DAYBOOK_SNAPSHOT_STATE_CACHE_H_

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "daybook/values.h"

namespace daybook {

// A state that nothing changes any more, and how many events of its stream it is made of.
struct KnownState {
  std::shared_ptr<const void> state;
  Version version;
};

// Thread-safe. Of one fold and one store.
class StateCache {
 public:
  explicit StateCache(std::size_t states_max) : states_max_(states_max) {}

  // The state of the stream; empty where it is not here. It counts as used.
  KnownState Find(std::string_view stream);
  // Keeps it, unless there is a newer one. The one that was used longest ago may go.
  void Put(std::string_view stream, const KnownState& known);
  void Forget(std::string_view stream);

 private:
  struct Entry {
    std::string stream;
    KnownState known;
  };
  const std::size_t states_max_;
  Mutex mutex_;
  std::list<Entry> entries_ DAYBOOK_GUARDED_BY(mutex_);  // the last used one first
  absl::flat_hash_map<absl::string_view, std::list<Entry>::iterator> by_stream_
      DAYBOOK_GUARDED_BY(mutex_);  // of names that stand in the entries
};

}  // namespace daybook

#endif  // DAYBOOK_SNAPSHOT_STATE_CACHE_H_
