// events: one row an event, in order of position.

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "bindings/sql/constraint.h"
#include "bindings/sql/event_columns.h"
#include "bindings/sql/moment_text.h"
#include "bindings/sql/table.h"
#include "bindings/sql/tables.h"

namespace daybook::sql {
namespace {

constexpr int kBackwards = 1;  // a plan's flag
// Columns in a plan.
constexpr char kByPosition = 'p', kByStream = 's', kByCategory = 'c', kByVersion = 'v',
               kByType = 't', kById = 'i', kByTime = 'r', kByNs = 'n';

std::int64_t Clamped(std::uint64_t value) {
  return static_cast<std::int64_t>(std::min(value, kCountMax));
}

// What a query asks of the table, as a read.
class EventsRead {
 public:
  explicit EventsRead(Query* query) : query_(query), options_(query->ReadAll()) {}

  absl::Status Apply(const Plan& plan, std::span<sqlite3_value*> arguments);
  // Nothing matches, whatever the store holds.
  [[nodiscard]] bool empty() const { return empty_; }
  ReadOptions& options() { return options_; }

 private:
  absl::Status Take(char column, Relation relation, sqlite3_value* value);
  void TakeNumber(Range* range, Relation relation, sqlite3_value* value) const;
  absl::Status TakeTime(Relation relation, sqlite3_value* value);
  void TakeTypes(sqlite3_value* values);
  void TakeId(std::string_view text);
  absl::Status SetPositions();
  void SetVersions();

  Query* query_;
  ReadOptions options_;
  Range positions_, versions_, times_;
  bool empty_ = false;
};

void EventsRead::TakeNumber(Range* range, Relation relation, sqlite3_value* value) const {
  // Other values compare by rules of SQLite's, which are left to it.
  if (sqlite3_value_type(value) == SQLITE_INTEGER) {
    range->Narrow(relation, sqlite3_value_int64(value));
  }
}

absl::Status EventsRead::TakeTime(Relation relation, sqlite3_value* value) {
  if (sqlite3_value_type(value) != SQLITE_TEXT) return absl::OkStatus();
  // What is no time is an error as soon as a row is compared with it.
  const std::optional<Timestamp> time = ParseMoment(TextOf(value));
  if (time) times_.Narrow(relation, time->unix_nanoseconds());
  return absl::OkStatus();
}

void EventsRead::TakeTypes(sqlite3_value* values) {
  sqlite3_value* value = nullptr;
  for (int code = sqlite3_vtab_in_first(values, &value); code == SQLITE_OK;
       code = sqlite3_vtab_in_next(values, &value)) {
    if (sqlite3_value_type(value) == SQLITE_NULL) continue;
    options_.types.emplace_back(TextOf(value));
  }
  empty_ = empty_ || options_.types.empty();
}

void EventsRead::TakeId(std::string_view text) {
  const absl::StatusOr<EventId> id = EventId::Parse(text);
  if (id.ok()) {
    options_.id = *id;
  } else {
    empty_ = true;
  }
}

absl::Status EventsRead::Take(char column, Relation relation, sqlite3_value* value) {
  if (relation == Relation::kIn) {
    TakeTypes(value);
    return absl::OkStatus();
  }
  if (sqlite3_value_type(value) == SQLITE_NULL) {
    empty_ = true;
    return absl::OkStatus();
  }
  switch (column) {
    case kByPosition:
      TakeNumber(&positions_, relation, value);
      break;
    case kByVersion:
      TakeNumber(&versions_, relation, value);
      break;
    case kByNs:
      TakeNumber(&times_, relation, value);
      break;
    case kByTime:
      return TakeTime(relation, value);
    case kByStream:
      options_.stream = std::string(TextOf(value));
      break;
    case kByCategory:
      options_.category = std::string(TextOf(value));
      break;
    case kByType:
      options_.types = {std::string(TextOf(value))};
      break;
    case kById:
      TakeId(TextOf(value));
      break;
    default:
      break;
  }
  return absl::OkStatus();
}

// Recorded times rise with positions, so that a range of the one is a range of the other.
absl::Status EventsRead::SetPositions() {
  if (times_.first > Timestamp::Min().unix_nanoseconds()) {
    const absl::StatusOr<Position> before =
        query_->reader().PositionAt(Timestamp(times_.first - 1));
    if (!before.ok()) return before.status();
    positions_.Narrow(Relation::kGreater, Clamped(before->value()));
  }
  if (times_.last < Timestamp::Max().unix_nanoseconds()) {
    const absl::StatusOr<Position> last = query_->reader().PositionAt(Timestamp(times_.last));
    if (!last.ok()) return last.status();
    // Beyond the head there may be more of that time.
    if (*last < query_->head()) positions_.Narrow(Relation::kAtMost, Clamped(last->value()));
  }
  if (positions_.empty() || positions_.last < 1) {
    empty_ = true;
    return absl::OkStatus();
  }
  const std::int64_t head = Clamped(query_->head().value());
  if (positions_.first > 1) {
    options_.from_position =
        Position(static_cast<std::uint64_t>(std::min(positions_.first, head + 1)));
  }
  if (positions_.last <= head) {
    options_.to_position = Position(static_cast<std::uint64_t>(positions_.last));
  }
  return absl::OkStatus();
}

void EventsRead::SetVersions() {
  if (!options_.stream || (versions_.first <= 1 && versions_.last == Range().last)) return;
  // A read of versions beyond the head is an error; where the head is not known, SQLite sees to it.
  const absl::StatusOr<StreamInfo> head = query_->reader().Head(*options_.stream);
  if (!head.ok()) return;
  const std::int64_t last = Clamped(head->version.value());
  if (versions_.first > 1) {
    options_.from_version =
        Version(static_cast<std::uint64_t>(std::min(versions_.first, last + 1)));
  }
  if (versions_.last <= last) {
    options_.to_version = Version(static_cast<std::uint64_t>(versions_.last));
  }
}

absl::Status EventsRead::Apply(const Plan& plan, std::span<sqlite3_value*> arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const absl::Status status = Take(
        plan.constraints[2 * i], static_cast<Relation>(plan.constraints[2 * i + 1]), arguments[i]);
    if (!status.ok()) return status;
  }
  if ((plan.flags & kBackwards) != 0) options_.direction = Direction::kBackwards;
  empty_ = empty_ || times_.empty() || versions_.empty() || versions_.last < 1;
  if (empty_) return absl::OkStatus();
  if (const absl::Status status = SetPositions(); !status.ok() || empty_) return status;
  SetVersions();
  return absl::OkStatus();
}

class EventsCursor final : public TableCursor {
 public:
  explicit EventsCursor(Tables* tables) : query_(tables->database->query()) {}

  absl::Status Filter(const Plan& plan, std::span<sqlite3_value*> arguments) override;
  absl::Status Next() override;
  [[nodiscard]] bool AtEnd() const override { return event_ == nullptr; }
  absl::Status Column(sqlite3_context* context, int column) override {
    ResultEventColumn(context, column, *event_);
    return absl::OkStatus();
  }
  [[nodiscard]] std::int64_t row_id() const override { return Clamped(event_->position.value()); }

 private:
  Query* query_;
  bool backwards_ = false;
  std::optional<Cursor> cursor_;
  const EventView* event_ = nullptr;
};

absl::Status EventsCursor::Filter(const Plan& plan, std::span<sqlite3_value*> arguments) {
  event_ = nullptr;
  cursor_.reset();
  EventsRead read(query_);
  if (const absl::Status status = read.Apply(plan, arguments); !status.ok()) return status;
  if (read.empty()) return absl::OkStatus();
  absl::StatusOr<Cursor> cursor = query_->reader().Read(read.options());
  if (!cursor.ok()) return cursor.status();
  cursor_.emplace(*std::move(cursor));
  backwards_ = read.options().direction == Direction::kBackwards;
  return Next();
}

absl::Status EventsCursor::Next() {
  for (;;) {
    absl::StatusOr<const EventView*> event = cursor_->Next();
    if (!event.ok()) {
      event_ = nullptr;
      return event.status();
    }
    event_ = *event;
    if (event_ == nullptr || event_->position <= query_->head()) return absl::OkStatus();
    // It was appended after the query began.
    if (!backwards_) {
      event_ = nullptr;
      return absl::OkStatus();
    }
  }
}

// What the planner has to know about the constraints that a plan takes.
class EventsPlanner {
 public:
  EventsPlanner(Tables* tables, sqlite3_index_info* info)
      : info_(info),
        plan_(info),
        events_(static_cast<double>(tables->reader->visible().value()) + 1) {}

  int Choose();

 private:
  void TakeConstraint(int index);
  void TakeType(int index, Relation relation);
  void TakeVersions();
  [[nodiscard]] double Rows() const;
  // Whether the order that is asked for is that of positions, one way or the other.
  [[nodiscard]] bool OrderIsByPosition() const;

  sqlite3_index_info* info_;
  PlanBuilder plan_;
  double events_;
};

void EventsPlanner::TakeType(int index, Relation relation) {
  if (relation != Relation::kEqual || !IsBinary(info_, index)) return;
  // All values of an IN at once, so that the events come in order of position, and each once.
  if (sqlite3_vtab_in(info_, index, -1) != 0) {
    if (plan_.Takes(kByType, Relation::kEqual) || plan_.Takes(kByType, Relation::kIn)) return;
    sqlite3_vtab_in(info_, index, 1);
    plan_.Take(index, kByType, Relation::kIn);
  } else if (!plan_.Takes(kByType, Relation::kIn) && !plan_.Takes(kByType, Relation::kEqual)) {
    plan_.Take(index, kByType, Relation::kEqual);
  }
}

void EventsPlanner::TakeConstraint(int index) {
  const auto& constraint = info_->aConstraint[index];
  const std::optional<Relation> relation = RelationOf(constraint.op);
  if (constraint.usable == 0 || !relation) return;
  const bool equal = *relation == Relation::kEqual;
  switch (constraint.iColumn) {
    case -1:  // rowid
    case kPosition:
      return plan_.Take(index, kByPosition, *relation);
    case kRecordedNs:
      return plan_.Take(index, kByNs, *relation);
    case kRecordedAt:
      if (IsByMoment(info_, index)) plan_.Take(index, kByTime, *relation);
      return;
    case kType:
      return TakeType(index, *relation);
    case kStream:
      if (equal && IsBinary(info_, index) && !plan_.Takes(kByStream, Relation::kEqual)) {
        plan_.Take(index, kByStream, *relation);
      }
      return;
    case kCategory:
      if (equal && IsBinary(info_, index) && !plan_.Takes(kByCategory, Relation::kEqual)) {
        plan_.Take(index, kByCategory, *relation);
      }
      return;
    case kId:
      if (equal && IsBinary(info_, index) && !plan_.Takes(kById, Relation::kEqual)) {
        plan_.Take(index, kById, *relation);
      }
      return;
    default:
      return;
  }
}

void EventsPlanner::TakeVersions() {
  if (!plan_.Takes(kByStream, Relation::kEqual)) return;
  for (int i = 0; i < info_->nConstraint; ++i) {
    const auto& constraint = info_->aConstraint[i];
    const std::optional<Relation> relation = RelationOf(constraint.op);
    if (constraint.usable != 0 && relation && constraint.iColumn == kVersion) {
      plan_.Take(i, kByVersion, *relation);
    }
  }
}

double EventsPlanner::Rows() const {
  const auto equal = [&](char column) { return plan_.Takes(column, Relation::kEqual); };
  if (equal(kByPosition)) return 1;
  if (equal(kByStream)) return equal(kByVersion) || equal(kById) ? 1 : 25;
  if (equal(kByTime) || equal(kByNs)) return 25;
  double rows = events_;
  for (const char column : {kByPosition, kByTime, kByNs}) {
    if (plan_.Takes(column, Relation::kGreater) || plan_.Takes(column, Relation::kAtLeast)) {
      rows /= 3;
    }
    if (plan_.Takes(column, Relation::kLess) || plan_.Takes(column, Relation::kAtMost)) rows /= 3;
  }
  if (equal(kById)) return 1 + rows / 20;  // every event is looked at, but few are given
  if (equal(kByType) || plan_.Takes(kByType, Relation::kIn)) rows /= 5;
  if (equal(kByCategory)) rows /= 5;
  return rows;
}

bool EventsPlanner::OrderIsByPosition() const {
  if (info_->nOrderBy == 0) return false;
  const bool one_stream = plan_.Takes(kByStream, Relation::kEqual);
  for (int i = 0; i < info_->nOrderBy; ++i) {
    const auto& term = info_->aOrderBy[i];
    if (term.desc != info_->aOrderBy[0].desc) return false;
    switch (term.iColumn) {
      case -1:
      case kPosition:
        return true;  // there are no ties for what follows
      case kRecordedAt:
      case kRecordedNs:
        break;
      case kVersion:
        if (one_stream) break;
        return false;
      default:
        return false;
    }
  }
  return true;
}

int EventsPlanner::Choose() {
  for (int i = 0; i < info_->nConstraint; ++i) TakeConstraint(i);
  TakeVersions();
  int flags = 0;
  if (OrderIsByPosition()) {
    info_->orderByConsumed = 1;
    if (info_->aOrderBy[0].desc != 0) flags |= kBackwards;
  }
  const bool unique = plan_.Takes(kByPosition, Relation::kEqual);
  if (unique) info_->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
  return plan_.Finish(flags, Rows(), unique || plan_.Takes(kByStream, Relation::kEqual) ? 4 : 1);
}

struct EventsTable {
  using Context = Tables;
  static constexpr char kSchema[] = "CREATE TABLE events(" DAYBOOK_SQL_EVENT_COLUMNS ")";
  static int BestIndex(Tables* tables, sqlite3_index_info* info) {
    return EventsPlanner(tables, info).Choose();
  }
  static std::unique_ptr<TableCursor> Open(Tables* tables) {
    return std::make_unique<EventsCursor>(tables);
  }
};

constexpr sqlite3_module kModule = Module<EventsTable>::Make();

}  // namespace

absl::Status AddEventsTable(Tables* tables) {
  return tables->database->AddTable("events", &kModule, tables);
}

}  // namespace daybook::sql
