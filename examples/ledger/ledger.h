// A ledger on Daybook: accounts are streams, a transfer is a commit of two events, and a balance,
// of now or of any moment in the past, is what the events say.
//
// Debited takes from an account and Credited adds to it; both carry {"cents":N,"balance":B}, where
// B is the balance behind the event. So the last event of an account is enough to decide on the
// next transfer, and a full count can hold every balance against the amounts. Money enters by a
// debit of the bank, so that all accounts together are zero behind every commit. Amounts are whole
// cents.

#ifndef EXAMPLES_LEDGER_LEDGER_H_
#define EXAMPLES_LEDGER_LEDGER_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "daybook/store.h"

namespace ledger {

using Cents = std::int64_t;

inline constexpr std::string_view kBank = "bank-0";

// What is known of an account at a moment.
struct Account {
  Cents balance = 0;
  daybook::Version version;  // 0: it was never used
};

// An account at a moment, from the last event that it has there.
absl::StatusOr<Account> AccountAt(const daybook::Reader& reader, std::string_view name,
                                  const daybook::AsOf& moment);

// All accounts counted together at a moment, from every event up to it.
struct TrialBalance {
  Cents sum = 0;     // of all accounts: 0, or the books are wrong
  Cents issued = 0;  // what the bank has given out
  std::uint64_t events = 0;
  std::uint64_t accounts = 0;
  std::uint64_t wrong_balances =
      0;  // events whose balance is not the one before plus or minus the amount
};
absl::StatusOr<TrialBalance> CountAt(const daybook::Reader& reader, const daybook::AsOf& moment);

// Appends to the books. Thread-safe.
class Ledger {
 public:
  // `store` must outlive the ledger.
  explicit Ledger(daybook::Store* store) : store_(store) {}

  // Gives every account `cents` from the bank, in one commit. kAborted where one of them was used
  // before.
  absl::Status Issue(std::span<const std::string> accounts, Cents cents);

  struct Transferred {
    bool done = false;  // false: `from` had less than that, and nothing was written
    std::uint64_t conflicts =
        0;  // how often another transfer came first and this one was decided anew
  };
  // Moves `cents` from one account to another, which must differ.
  absl::StatusOr<Transferred> Transfer(std::string_view from, std::string_view to, Cents cents);

 private:
  daybook::Store* store_;
};

}  // namespace ledger

#endif  // EXAMPLES_LEDGER_LEDGER_H_
