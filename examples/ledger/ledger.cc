#include "ledger.h"

#include <charconv>
#include <optional>
#include <unordered_map>

namespace ledger {
namespace {

using daybook::AsBytes;
using daybook::ExpectedVersion;

constexpr std::string_view kDebited = "Debited";
constexpr std::string_view kCredited = "Credited";

std::string DataOf(Cents cents, Cents balance) {
  return "{\"cents\":" + std::to_string(cents) + ",\"balance\":" + std::to_string(balance) + "}";
}

// The number behind `"key":`.
std::optional<Cents> NumberOf(std::string_view json, std::string_view key) {
  const std::size_t at = json.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  Cents number = 0;
  const char* const begin = json.data() + at + key.size();
  const auto [end, error] = std::from_chars(begin, json.data() + json.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

// One event of the books, decoded.
struct Entry {
  Cents amount;  // signed: what it adds to the account
  Cents balance;
};

absl::StatusOr<Entry> EntryOf(const daybook::EventView& event) {
  const std::string_view json = daybook::AsText(event.data);
  const std::optional<Cents> cents = NumberOf(json, "\"cents\":");
  const std::optional<Cents> balance = NumberOf(json, "\"balance\":");
  if (!cents || !balance || (event.type != kDebited && event.type != kCredited)) {
    return absl::InvalidArgumentError("position " + std::to_string(event.position.value()) +
                                      " is no event of a ledger");
  }
  return Entry{event.type == kDebited ? -*cents : *cents, *balance};
}

// Adds one side of a transfer to a commit, which then holds only if the account is still as it was
// seen.
absl::Status AddEntry(std::string_view name, const Account& seen, Cents amount,
                      daybook::Commit* commit) {
  const bool debit = amount < 0;
  const std::string data = DataOf(debit ? -amount : amount, seen.balance + amount);
  absl::Status status =
      commit->Add(name, {.type = debit ? kDebited : kCredited, .data = AsBytes(data)});
  if (status.ok()) status = commit->Expect(name, ExpectedVersion::Exactly(seen.version));
  return status;
}

// Lets a map with keys of std::string be asked with a view.
struct NameHash : std::hash<std::string_view> {
  using is_transparent = void;
};
using Balances = std::unordered_map<std::string, Cents, NameHash, std::equal_to<>>;

}  // namespace

absl::StatusOr<Account> AccountAt(const daybook::Reader& reader, std::string_view name,
                                  const daybook::AsOf& moment) {
  auto cursor = reader.Read({.stream = std::string(name),
                             .as_of = moment,
                             .direction = daybook::Direction::kBackwards,
                             .limit = 1});
  if (!cursor.ok()) return cursor.status();
  const auto last = cursor->Next();
  if (!last.ok()) return last.status();
  if (*last == nullptr) return Account();
  const auto entry = EntryOf(**last);
  if (!entry.ok()) return entry.status();
  return Account{entry->balance, (*last)->version};
}

absl::StatusOr<TrialBalance> CountAt(const daybook::Reader& reader, const daybook::AsOf& moment) {
  auto cursor = reader.Read({.as_of = moment});
  if (!cursor.ok()) return cursor.status();
  TrialBalance count;
  Balances balances;
  const absl::Status status = cursor->ForEach([&](const daybook::EventView& event) {
    const auto entry = EntryOf(event);
    if (!entry.ok()) return entry.status();
    auto account = balances.find(event.stream);
    if (account == balances.end()) account = balances.emplace(event.stream, 0).first;
    account->second += entry->amount;
    if (account->second != entry->balance) ++count.wrong_balances;
    ++count.events;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  for (const auto& [name, balance] : balances) count.sum += balance;
  if (const auto bank = balances.find(kBank); bank != balances.end()) count.issued = -bank->second;
  count.accounts = balances.size();
  return count;
}

absl::Status Ledger::Issue(std::span<const std::string> accounts, Cents cents) {
  const auto bank = AccountAt(*store_, kBank, daybook::AsOf::Latest());
  if (!bank.ok()) return bank.status();
  daybook::Commit commit;
  absl::Status status =
      AddEntry(kBank, *bank, -cents * static_cast<Cents>(accounts.size()), &commit);
  for (const std::string& name : accounts) {
    if (status.ok()) status = AddEntry(name, Account(), cents, &commit);
  }
  return status.ok() ? store_->Append(commit).status() : status;
}

absl::StatusOr<Ledger::Transferred> Ledger::Transfer(std::string_view from, std::string_view to,
                                                     Cents cents) {
  Transferred result;
  for (daybook::Commit commit;; commit.Clear()) {
    const auto payer = AccountAt(*store_, from, daybook::AsOf::Latest());
    if (!payer.ok()) return payer.status();
    const auto payee = AccountAt(*store_, to, daybook::AsOf::Latest());
    if (!payee.ok()) return payee.status();
    if (payer->balance < cents) return result;

    absl::Status status = AddEntry(from, *payer, -cents, &commit);
    if (status.ok()) status = AddEntry(to, *payee, cents, &commit);
    if (status.ok()) status = store_->Append(commit).status();
    if (status.ok()) {
      result.done = true;
      return result;
    }
    // Somebody else moved one of the accounts in between: look again, decide again.
    if (!absl::IsAborted(status)) return status;
    ++result.conflicts;
  }
}

}  // namespace ledger
