// Folds of a host, over the logs that the tests of time travel use: fines, suppliers, accounts.

#ifndef DAYBOOK_TIME_TRAVEL_FOLDS_H_
#define DAYBOOK_TIME_TRAVEL_FOLDS_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/event.h"
#include "daybook/json_fold.h"

namespace daybook::time_travel {

using Json = nlohmann::json;

// What the folds have in common: the data is parsed, and a snapshot is the state's JSON. `Derived`
// has ApplyData(State&, event, data); `State` turns into JSON and back.
template <class Derived, class S>
class JsonDataFold {
 public:
  using State = S;
  static constexpr std::uint32_t revision() { return 1; }
  absl::Status Apply(State& state, const EventView& event) const {
    const Json data = Json::parse(AsText(event.data), nullptr, /*allow_exceptions=*/false);
    if (!data.is_object()) return absl::InvalidArgumentError("the data is no JSON object");
    Derived::ApplyData(state, event, data);
    return absl::OkStatus();
  }
  void Save(const State& state, std::string& out) const { out = Json(state).dump(); }
  absl::StatusOr<State> Restore(std::string_view bytes) const {
    const Json json = Json::parse(bytes, nullptr, /*allow_exceptions=*/false);
    if (json.is_discarded()) return absl::DataLossError("the state is no JSON");
    return json.get<State>();
  }
  static Json ToJson(const State& state) { return state; }
};

struct Fine {
  std::string last_type;
  std::int64_t amount_cents = 0, expense_cents = 0, paid_cents = 0;
  bool in_collection = false;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Fine, last_type, amount_cents, expense_cents, paid_cents,
                                 in_collection)
};

class FineFold : public JsonDataFold<FineFold, Fine> {
 public:
  static constexpr std::string_view id() { return "fine"; }
  static void ApplyData(Fine& fine, const EventView& event, const Json& data) {
    fine.last_type = event.type;
    if (event.type == "Create Fine" || event.type == "Add penalty") {
      fine.amount_cents = data.value("amount_cents", fine.amount_cents);
    } else if (event.type == "Send Fine") {
      fine.expense_cents += data.value("expense_cents", std::int64_t{0});
    } else if (event.type == "Payment") {
      fine.paid_cents += data.value("paymentAmount_cents", std::int64_t{0});
    } else if (event.type == "Send for Credit Collection") {
      fine.in_collection = true;
    }
  }
  static void Falsify(Fine& fine) { ++fine.paid_cents; }
};

struct Supplier {
  std::int64_t revenue_pence = 0, capital_pence = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Supplier, revenue_pence, capital_pence)
};

class SupplierFold : public JsonDataFold<SupplierFold, Supplier> {
 public:
  static constexpr std::string_view id() { return "supplier"; }
  static void ApplyData(Supplier& supplier, const EventView& event, const Json& data) {
    const auto amount = data.value("amount_pence", std::int64_t{0});
    (event.type.starts_with("Capital") ? supplier.capital_pence : supplier.revenue_pence) += amount;
  }
  static void Falsify(Supplier& supplier) { ++supplier.revenue_pence; }
};

struct Account {
  std::int64_t balance_sat = 0, minted_sat = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Account, balance_sat, minted_sat)
};

class AccountFold : public JsonDataFold<AccountFold, Account> {
 public:
  static constexpr std::string_view id() { return "account"; }
  static void ApplyData(Account& account, const EventView& event, const Json& data) {
    const auto value = data.value("value_sat", std::int64_t{0});
    account.balance_sat += event.type == "Debited" ? -value : value;
    if (event.type == "BlockReward") account.minted_sat += value;
  }
  static void Falsify(Account& account) { ++account.balance_sat; }
};

struct Chain {
  std::uint64_t hash = 0xcbf29ce484222325;
  std::int64_t pence = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Chain, hash, pence)
};

// FNV-1a over the transactions' numbers, one after another: another order is another state.
class ChainFold : public JsonDataFold<ChainFold, Chain> {
 public:
  static constexpr std::string_view id() { return "chain"; }
  static void ApplyData(Chain& chain, const EventView& /*event*/, const Json& data) {
    for (const char c : data.value("trans_no", std::string()) + '\n') {
      chain.hash = (chain.hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
    chain.pence += data.value("amount_pence", std::int64_t{0});
  }
  static void Falsify(Chain& chain) { ++chain.hash; }
};

// The same fold by its name, with snapshots that are false: what a changed Apply makes of them
// where its revision was forgotten.
template <class F>
class FalseSnapshots : public F {
 public:
  void Save(const typename F::State& state, std::string& out) const {
    typename F::State other = state;
    F::Falsify(other);
    F::Save(other, out);
  }
};

// A fold of the command's, by its name, that counts everything twice.
class TwiceFold {
 public:
  using State = JsonState;
  explicit TwiceFold(JsonFold fold) : fold_(std::move(fold)) {}
  [[nodiscard]] std::string_view id() const { return fold_.id(); }
  static constexpr std::uint32_t revision() { return JsonFold::revision(); }
  absl::Status Apply(State& state, const EventView& event) const {
    absl::Status status = fold_.Apply(state, event);
    return status.ok() ? fold_.Apply(state, event) : status;
  }
  void Save(const State& state, std::string& out) const { fold_.Save(state, out); }
  [[nodiscard]] absl::StatusOr<State> Restore(std::string_view bytes) const {
    return fold_.Restore(bytes);
  }
  [[nodiscard]] Json ToJson(const State& state) const { return Json::parse(fold_.ToJson(state)); }

 private:
  JsonFold fold_;
};

}  // namespace daybook::time_travel

#endif  // DAYBOOK_TIME_TRAVEL_FOLDS_H_
