// Counts, moments and ids never mix, and "no stream" is never -1.

#include "daybook/values.h"

#include "daybook/append.h"

namespace daybook {

void TakesPosition(Position);
void TakesExpected(ExpectedVersion);

void Use(Version version, Timestamp time) {
  TakesPosition(Position(3));
  TakesExpected(ExpectedVersion::Exactly(version));
  (void)time;
#if DAYBOOK_MUST_FAIL == 1
  // must fail 1: could not convert|no viable conversion|no known conversion|no matching function
  TakesPosition(version);
#elif DAYBOOK_MUST_FAIL == 2
  // must fail 2: could not convert|no viable conversion|no known conversion|no matching function
  TakesPosition(3);
#elif DAYBOOK_MUST_FAIL == 3
  // must fail 3: could not convert|no viable conversion|no known conversion|no matching function
  TakesExpected(-1);
#elif DAYBOOK_MUST_FAIL == 4
  // must fail 4: no match for|invalid operands
  (void)(version < Position(3));
#elif DAYBOOK_MUST_FAIL == 5
  // must fail 5: could not convert|no viable conversion|no known conversion|no matching function
  TakesPosition(time);
#endif
}

}  // namespace daybook
