// What owns a directory or a place in the log is not copied, and what must be looked at is not
// dropped.

#include <utility>

#include "daybook/store.h"

namespace daybook {

void Use(Store& store, Cursor cursor, Commit commit) {
  Cursor moved = std::move(cursor);
  Commit taken = std::move(commit);
  (void)moved.Next();
  (void)store.durable();
#if DAYBOOK_MUST_FAIL == 1
  // must fail 1: deleted|private|protected
  Store copy = store;
#elif DAYBOOK_MUST_FAIL == 2
  // must fail 2: deleted
  Cursor copy = moved;
#elif DAYBOOK_MUST_FAIL == 3
  // must fail 3: deleted
  Commit copy = taken;
#elif DAYBOOK_MUST_FAIL == 4
  // must fail 4: nodiscard
  moved.Next();
#elif DAYBOOK_MUST_FAIL == 5
  // must fail 5: nodiscard
  store.Read({});
#endif
}

}  // namespace daybook
