// What the books say, now and at moments in the past, asked of a reader that knows nothing of the
// writing.

#ifndef EXAMPLES_LEDGER_REPORT_H_
#define EXAMPLES_LEDGER_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "daybook/store.h"
#include "ledger.h"

namespace ledger {

// The books at one moment.
struct Chapter {
  std::string title;
  daybook::Position position;      // the last of a commit, so that no transfer is cut in two
  daybook::Timestamp recorded_at;  // of that commit
  TrialBalance trial;
  std::vector<Cents> balances;  // of the accounts that were asked for, in their order
};

// Answers for three moments of the past and for now. Each balance is asked twice, by position and
// by recorded time; kInternal where the answers differ.
absl::StatusOr<std::vector<Chapter>> ReadHistory(const daybook::Reader& reader,
                                                 const std::vector<std::string>& accounts);

// Whether every trial balance is zero and every running balance right.
bool BooksBalance(const std::vector<Chapter>& history);

// The table.
std::string Table(const std::vector<Chapter>& history, const std::vector<std::string>& accounts);

std::string Grouped(std::uint64_t number);  // 1,234,567
std::string Money(Cents cents);             // -1,234.56

}  // namespace ledger

#endif  // EXAMPLES_LEDGER_REPORT_H_
