#ifndef DAYBOOK_SNAPSHOT_DIGIT_H_
#define DAYBOOK_SNAPSHOT_DIGIT_H_

namespace daybook {

// In any locale.
inline bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace daybook

#endif  // DAYBOOK_SNAPSHOT_DIGIT_H_
