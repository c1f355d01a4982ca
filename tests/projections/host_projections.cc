// Runs a projection of a host's own over a store, and prints what it answers.
//
//   host_projections STORE PROJECTION THREADS POSITION...
//
// PROJECTION is fines, years, audit or suppliers. It is run to each POSITION in turn, and prints
// {"position","answer"}; then it is rebuilt on each number of threads in the comma-separated list
// THREADS, compared and promoted, and prints {"threads","equal","live","new","answer"}, where live
// and new are the digests of the tables. tests/e2e/host_projections.py holds the answers against
// those of programs in Python.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daybook/projections.h"
#include "daybook/store.h"

namespace daybook {
namespace {

using Json = nlohmann::json;

absl::StatusOr<Json> DataOf(const EventView& event) {
  Json data = Json::parse(AsText(event.data), nullptr, /*allow_exceptions=*/false);
  if (!data.is_object()) return absl::InvalidArgumentError("the data is no JSON object");
  return data;
}

// --- Fines: what is open, by the year of a fine's first event -----------------------------------

struct Fine {
  std::int64_t amount = 0, expense = 0, paid = 0, events = 0;
  std::int32_t year = 0, in_collection = 0;
  [[nodiscard]] std::int64_t due() const { return amount + expense; }
  [[nodiscard]] std::int64_t open() const { return std::max<std::int64_t>(due() - paid, 0); }
};
struct Open {
  std::int64_t fines = 0, cents = 0;
  void Add(std::int64_t sign, const Fine& fine) {
    fines += fine.open() > 0 ? sign : 0;
    cents += sign * fine.open();
  }
};
constexpr Table<std::string, Fine> kFines{"fines"};
constexpr Table<std::int32_t, Open> kYears{"years"};

std::int32_t YearOf(Timestamp time) {
  using namespace std::chrono;
  const sys_time<nanoseconds> moment{nanoseconds(time.unix_nanoseconds())};
  return static_cast<int>(year_month_day(floor<days>(moment)).year());
}

void Apply(const EventView& event, const Json& data, Fine* fine) {
  if (fine->events++ == 0) fine->year = YearOf(event.effective_at());
  if (event.type == "Create Fine" || event.type == "Add penalty") {
    fine->amount = data.value("amount_cents", fine->amount);
  } else if (event.type == "Send Fine") {
    fine->expense += data.value("expense_cents", std::int64_t{0});
  } else if (event.type == "Payment") {
    fine->paid += data.value("paymentAmount_cents", std::int64_t{0});
  } else if (event.type == "Send for Credit Collection") {
    fine->in_collection = 1;
  }
}

absl::Status PostFine(const EventView& event, HandlerContext& context) {
  const absl::StatusOr<Json> data = DataOf(event);
  if (!data.ok()) return data.status();
  return kFines.Update(context, std::string(event.stream),
                       [&](Fine& fine) { Apply(event, *data, &fine); });
}

// The same, and the sums of each year with it: rows that several keys share.
absl::Status PostYear(const EventView& event, HandlerContext& context) {
  const absl::StatusOr<Json> data = DataOf(event);
  if (!data.ok()) return data.status();
  Fine before, after;
  const absl::Status updated = kFines.Update(context, std::string(event.stream), [&](Fine& fine) {
    before = fine;
    Apply(event, *data, &fine);
    after = fine;
  });
  if (!updated.ok()) return updated;
  return kYears.Update(context, after.year, [&](Open& open) {
    open.Add(-1, before);
    open.Add(1, after);
  });
}

Json ToJson(const Open& open) { return {{"fines", open.fines}, {"cents", open.cents}}; }

absl::StatusOr<Json> AnswerFines(const ReadSnapshot& model) {
  std::map<std::int32_t, Open> years;
  std::int64_t events = 0, fines = 0, due = 0, paid = 0;
  Open all, early;
  const absl::Status scanned =
      kFines.Scan(model, KeyRange::All(), [&](const std::string&, const Fine& fine) {
        events += fine.events;
        ++fines;
        due += fine.due();
        paid += fine.paid;
        years[fine.year].Add(1, fine);
        all.Add(1, fine);
        if (fine.in_collection == 0) early.Add(1, fine);
        return true;
      });
  if (!scanned.ok()) return scanned;
  Json answer;
  answer["book"] = {{"events_at_T", events},
                    {"fines", fines},
                    {"due_cents", due},
                    {"paid_cents", paid},
                    {"outstanding_fines", all.fines},
                    {"outstanding_cents", all.cents},
                    {"outstanding_not_in_collection_fines", early.fines},
                    {"outstanding_not_in_collection_cents", early.cents}};
  for (const auto& [year, open] : years) answer["years"][std::to_string(year)] = ToJson(open);
  return answer;
}

absl::StatusOr<Json> AnswerYears(const ReadSnapshot& model) {
  Json answer;
  const absl::Status scanned =
      kYears.Scan(model, KeyRange::All(), [&](std::int32_t year, const Open& open) {
        answer["years"][std::to_string(year)] = ToJson(open);
        return true;
      });
  if (!scanned.ok()) return scanned;
  return answer;
}

// --- Audit: payments whose recorded running total is not the sum so far --------------------------

struct Paid {
  std::int64_t payments = 0, cents = 0;
};
struct Wrong {
  std::int64_t recorded = 0, actual = 0;
};
constexpr Table<std::string, Paid> kPaid{"paid"};
constexpr Table<std::pair<std::string, Position>, Wrong> kWrong{"wrong"};

absl::Status PostPayment(const EventView& event, HandlerContext& context) {
  const absl::StatusOr<Json> data = DataOf(event);
  if (!data.ok()) return data.status();
  const std::string stream(event.stream);
  Wrong row{.recorded = data->value("totalPaymentAmount_cents", std::int64_t{0}), .actual = 0};
  const absl::Status updated = kPaid.Update(context, stream, [&](Paid& paid) {
    ++paid.payments;
    paid.cents += data->value("paymentAmount_cents", std::int64_t{0});
    row.actual = paid.cents;
  });
  if (!updated.ok() || row.recorded == row.actual) return updated;
  return kWrong.Put(context, {stream, event.position}, row);
}

absl::StatusOr<Json> AnswerAudit(const ReadSnapshot& model) {
  std::int64_t payments = 0;
  absl::Status scanned =
      kPaid.Scan(model, KeyRange::All(), [&](const std::string&, const Paid& paid) {
        payments += paid.payments;
        return true;
      });
  if (!scanned.ok()) return scanned;
  Json wrong = Json::array();
  scanned = kWrong.Scan(model, KeyRange::All(), [&](const auto& key, const Wrong& row) {
    wrong.push_back({key.first, key.second.value(), row.recorded, row.actual});
    return true;
  });
  if (!scanned.ok()) return scanned;
  return Json{{"payments", payments}, {"wrong", wrong}};
}

// --- Suppliers: what each was paid ---------------------------------------------------------------

struct Supplier {
  std::int64_t revenue = 0, capital = 0;
};
constexpr Table<std::string, Supplier> kSuppliers{"suppliers"};

absl::Status PostSupplier(const EventView& event, HandlerContext& context) {
  const absl::StatusOr<Json> data = DataOf(event);
  if (!data.ok()) return data.status();
  return kSuppliers.Update(context, std::string(event.stream), [&](Supplier& supplier) {
    (event.type.starts_with("Capital") ? supplier.capital : supplier.revenue) +=
        data->value("amount_pence", std::int64_t{0});
  });
}

absl::StatusOr<Json> AnswerSuppliers(const ReadSnapshot& model) {
  Json answer = Json::object();
  const absl::Status scanned =
      kSuppliers.Scan(model, KeyRange::All(), [&](const std::string& key, const Supplier& row) {
        answer[key] = {row.revenue, row.capital};
        return true;
      });
  if (!scanned.ok()) return scanned;
  return answer;
}

// --- The program ---------------------------------------------------------------------------------

struct Asked {
  Projection projection;
  absl::StatusOr<Json> (*answer)(const ReadSnapshot& model) = nullptr;
};

absl::StatusOr<Asked> Find(std::string_view name) {
  Asked asked;
  asked.projection.name = name;
  asked.projection.rows_by_key = name != "years";
  if (name == "fines") {
    asked.projection.tables = {kFines.name()};
    asked.projection.handler = PostFine;
    asked.answer = AnswerFines;
  } else if (name == "years") {
    asked.projection.tables = {kFines.name(), kYears.name()};
    asked.projection.handler = PostYear;
    asked.answer = AnswerYears;
  } else if (name == "audit") {
    asked.projection.tables = {kPaid.name(), kWrong.name()};
    asked.projection.filter.types = {"Payment"};
    asked.projection.handler = PostPayment;
    asked.answer = AnswerAudit;
  } else if (name == "suppliers") {
    asked.projection.tables = {kSuppliers.name()};
    asked.projection.handler = PostSupplier;
    asked.answer = AnswerSuppliers;
  } else {
    return absl::InvalidArgumentError("there is no such projection");
  }
  return asked;
}

absl::StatusOr<Json> Ask(Projections& projections, const Asked& asked) {
  const auto model = projections.OpenModel(asked.projection.name);
  if (!model.ok()) return model.status();
  const absl::StatusOr<ReadSnapshot> now = (*model)->Read();
  if (!now.ok()) return now.status();
  return asked.answer(*now);
}

absl::Status RunTo(Projections& projections, const Asked& asked, Position position) {
  const auto runner = projections.Run(asked.projection, {});
  if (!runner.ok()) return runner.status();
  const absl::Status status = (*runner)->RunUntilCaughtUp(position);
  if (!status.ok()) return status;
  const absl::StatusOr<Json> answer = Ask(projections, asked);
  if (!answer.ok()) return answer.status();
  std::cout << Json{{"position", position.value()}, {"answer", *answer}}.dump() << "\n";
  return absl::OkStatus();
}

Json DigestsOf(const std::vector<TableSummary>& tables) {
  Json digests = Json::object();
  for (const TableSummary& table : tables) digests[table.name] = table.digest.ToString();
  return digests;
}

absl::Status RebuildOn(unsigned threads, Projections& projections, const Asked& asked) {
  RebuildOptions options;
  options.threads = threads;
  const auto rebuild = projections.StartRebuild(asked.projection, options);
  if (!rebuild.ok()) return rebuild.status();
  absl::Status status = (*rebuild)->Run();
  if (!status.ok()) return status;
  const absl::StatusOr<CompareReport> report = (*rebuild)->Compare();
  if (!report.ok()) return report.status();
  status = (*rebuild)->Promote();
  if (!status.ok()) return status;
  const absl::StatusOr<Json> answer = Ask(projections, asked);
  if (!answer.ok()) return answer.status();
  std::cout << Json{{"threads", threads},
                    {"equal", report->equal},
                    {"live", DigestsOf(report->live_tables)},
                    {"new", DigestsOf(report->candidate_tables)},
                    {"answer", *answer}}
                   .dump()
            << "\n";
  return absl::OkStatus();
}

absl::Status Run(const std::vector<std::string>& arguments) {
  if (arguments.size() < 4) return absl::InvalidArgumentError("see the head of the source");
  const absl::StatusOr<Asked> asked = Find(arguments[1]);
  if (!asked.ok()) return asked.status();
  const auto store = Store::Open(arguments[0], {.create = StoreOptions::Create::kNever});
  if (!store.ok()) return store.status();
  const auto projections = Projections::Open(**store, {});
  if (!projections.ok()) return projections.status();
  for (std::size_t i = 3; i < arguments.size(); ++i) {
    const absl::Status status = RunTo(**projections, *asked, Position(std::stoull(arguments[i])));
    if (!status.ok()) return status;
  }
  std::istringstream list(arguments[2]);
  for (std::string threads; std::getline(list, threads, ',');) {
    const absl::Status status =
        RebuildOn(static_cast<unsigned>(std::stoul(threads)), **projections, *asked);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace daybook

int main(int argc, char** argv) {
  const absl::Status status = daybook::Run({argv + 1, argv + argc});
  if (status.ok()) return 0;
  std::cerr << "host_projections: " << status << "\n";
  return 1;
}
