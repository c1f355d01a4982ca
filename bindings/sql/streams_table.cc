// streams and state: one row a stream, by name.

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bindings/sql/constraint.h"
#include "bindings/sql/event_columns.h"
#include "bindings/sql/table.h"
#include "bindings/sql/tables.h"
#include "daybook/repository.h"

namespace daybook::sql {
namespace {

constexpr int kReversed = 1;  // a plan's flag
constexpr char kOneStream = 's';
// A guess, where SQLite wants to know how many rows there are.
constexpr double kEventsAStream = 10;

// Finds the streams that a query sees, with their heads.
class StreamFinder {
 public:
  explicit StreamFinder(Query* query) : query_(query) {}
  absl::StatusOr<std::vector<StreamInfo>> One(std::string_view stream);
  absl::StatusOr<std::vector<StreamInfo>> All();

 private:
  [[nodiscard]] bool by_effective() const {
    return query_->options().as_of.effective_at.has_value();
  }
  // A read of the streams that hold something by the effective bound.
  absl::StatusOr<Cursor> ReadHolding(const std::optional<std::string>& stream);
  absl::Status KeepHolding(std::vector<StreamInfo>* streams);

  Query* query_;
};

absl::StatusOr<Cursor> StreamFinder::ReadHolding(const std::optional<std::string>& stream) {
  ReadOptions read = query_->ReadAll();
  const absl::StatusOr<AsOf> moment = query_->AtPosition();
  if (!moment.ok()) return moment.status();
  read.as_of.recorded_at.reset();
  read.as_of.position = moment->position;
  read.stream = stream;
  return query_->reader().Read(read);
}

absl::StatusOr<std::vector<StreamInfo>> StreamFinder::One(std::string_view stream) {
  const absl::StatusOr<AsOf> moment = query_->AtPosition();
  if (!moment.ok()) return moment.status();
  absl::StatusOr<StreamInfo> head = query_->reader().Head(stream, *moment);
  if (!head.ok()) return head.status();
  std::vector<StreamInfo> streams;
  if (head->version == Version(0)) return streams;
  if (by_effective()) {
    absl::StatusOr<Cursor> cursor = ReadHolding(std::string(stream));
    if (!cursor.ok()) return cursor.status();
    const absl::StatusOr<const EventView*> first = cursor->Next();
    if (!first.ok()) return first.status();
    if (*first == nullptr) return streams;
  }
  streams.push_back(*std::move(head));
  return streams;
}

absl::Status StreamFinder::KeepHolding(std::vector<StreamInfo>* streams) {
  absl::StatusOr<Cursor> cursor = ReadHolding(std::nullopt);
  if (!cursor.ok()) return cursor.status();
  std::vector<bool> holds(streams->size(), false);
  for (;;) {
    const absl::StatusOr<const EventView*> event = cursor->Next();
    if (!event.ok()) return event.status();
    if (*event == nullptr) break;
    const auto found = std::lower_bound(
        streams->begin(), streams->end(), (*event)->stream,
        [](const StreamInfo& info, std::string_view name) { return info.stream < name; });
    if (found == streams->end() || found->stream != (*event)->stream) continue;
    holds[static_cast<std::size_t>(found - streams->begin())] = true;
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < streams->size(); ++i) {
    if (!holds[i]) continue;
    if (kept != i) (*streams)[kept] = std::move((*streams)[i]);
    ++kept;
  }
  streams->resize(kept);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<StreamInfo>> StreamFinder::All() {
  const absl::StatusOr<AsOf> moment = query_->AtPosition();
  if (!moment.ok()) return moment.status();
  StreamsOptions options;
  options.as_of = *moment;
  options.keep_going = [query = query_] { return query->KeepGoing(); };
  absl::StatusOr<std::vector<StreamInfo>> streams = query_->reader().Streams(options);
  if (!streams.ok() || !by_effective()) return streams;
  if (absl::Status status = KeepHolding(&*streams); !status.ok()) return status;
  return streams;
}

class StreamsCursor : public TableCursor {
 public:
  explicit StreamsCursor(Tables* tables) : query_(tables->database->query()) {}

  absl::Status Filter(const Plan& plan, std::span<sqlite3_value*> arguments) override;
  absl::Status Next() override {
    ++at_;
    return absl::OkStatus();
  }
  [[nodiscard]] bool AtEnd() const override { return at_ >= streams_.size(); }
  absl::Status Column(sqlite3_context* context, int column) override;
  [[nodiscard]] std::int64_t row_id() const override { return static_cast<std::int64_t>(at_) + 1; }

 protected:
  [[nodiscard]] Query* query() const { return query_; }
  [[nodiscard]] const StreamInfo& row() const { return streams_[at_]; }

 private:
  Query* query_;
  std::vector<StreamInfo> streams_;
  std::size_t at_ = 0;
};

absl::Status StreamsCursor::Filter(const Plan& plan, std::span<sqlite3_value*> arguments) {
  streams_.clear();
  at_ = 0;
  // A stream that is named by what has no text is none.
  if (!arguments.empty() && sqlite3_value_type(arguments[0]) == SQLITE_NULL) {
    return absl::OkStatus();
  }
  if (absl::Status status = query_->CheckComplete(); !status.ok()) return status;
  StreamFinder finder(query_);
  absl::StatusOr<std::vector<StreamInfo>> streams =
      arguments.empty() ? finder.All() : finder.One(TextOf(arguments[0]));
  if (!streams.ok()) return streams.status();
  streams_ = *std::move(streams);
  if ((plan.flags & kReversed) != 0) std::reverse(streams_.begin(), streams_.end());
  return absl::OkStatus();
}

absl::Status StreamsCursor::Column(sqlite3_context* context, int column) {
  switch (column) {
    case 0:
      ResultText(context, row().stream);
      break;
    case 1:
      ResultCount(context, row().version.value());
      break;
    case 2:
      ResultCount(context, row().first_position.value());
      break;
    case 3:
      ResultCount(context, row().last_position.value());
      break;
    default:
      ResultTime(context, row().last_recorded_at);
      break;
  }
  return absl::OkStatus();
}

class StateCursor final : public StreamsCursor {
 public:
  explicit StateCursor(Tables* tables)
      : StreamsCursor(tables),
        fold_(tables->options->fold),
        loader_(*tables->reader, std::make_shared<FoldAdapter<JsonFold>>(fold_),
                {.cached_states_max = 0,
                 .keep_going = [query = query()] { return query->KeepGoing(); }}) {}

  absl::Status Column(sqlite3_context* context, int column) override;

 private:
  absl::Status State(sqlite3_context* context);

  const JsonFold fold_;
  const Loader loader_;
};

// Folded only where the state is asked for.
absl::Status StateCursor::State(sqlite3_context* context) {
  absl::StatusOr<AsOf> moment = query()->AtPosition();
  if (!moment.ok()) return moment.status();
  moment->effective_at = query()->options().as_of.effective_at;
  const absl::StatusOr<Loader::Loaded> loaded = loader_.LoadAt(row().stream, *moment);
  if (!loaded.ok()) return loaded.status();
  ResultState(context, fold_, fold_.ToJson(*static_cast<const JsonState*>(loaded->state.get())));
  return absl::OkStatus();
}

absl::Status StateCursor::Column(sqlite3_context* context, int column) {
  switch (column) {
    case 0:
    case 1:
      return StreamsCursor::Column(context, column);
    case 2:
      ResultCount(context, row().last_position.value());
      return absl::OkStatus();
    default:
      return State(context);
  }
}

int BestStreams(Tables* tables, sqlite3_index_info* info) {
  PlanBuilder plan(info);
  for (int i = 0; i < info->nConstraint; ++i) {
    const auto& constraint = info->aConstraint[i];
    if (constraint.usable != 0 && constraint.iColumn == 0 && IsBinary(info, i) &&
        RelationOf(constraint.op) == Relation::kEqual &&
        !plan.Takes(kOneStream, Relation::kEqual)) {
      plan.Take(i, kOneStream, Relation::kEqual);
    }
  }
  int flags = 0;
  if (info->nOrderBy > 0 && info->aOrderBy[0].iColumn == 0) {
    info->orderByConsumed = 1;  // a name stands once: there are no ties for what follows
    if (info->aOrderBy[0].desc != 0) flags |= kReversed;
  }
  if (plan.Takes(kOneStream, Relation::kEqual)) {
    info->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
    return plan.Finish(flags, 1, 10);
  }
  return plan.Finish(flags, static_cast<double>(tables->reader->visible().value()) / kEventsAStream,
                     kEventsAStream);
}

struct StreamsTable {
  using Context = Tables;
  static constexpr char kSchema[] =
      "CREATE TABLE streams(stream TEXT, version INTEGER, first_position INTEGER, "
      "last_position INTEGER, last_recorded_at TEXT COLLATE daybook_time)";
  static int BestIndex(Tables* tables, sqlite3_index_info* info) {
    return BestStreams(tables, info);
  }
  static std::unique_ptr<TableCursor> Open(Tables* tables) {
    return std::make_unique<StreamsCursor>(tables);
  }
};

struct StateTable {
  using Context = Tables;
  static constexpr char kSchema[] =
      "CREATE TABLE state(stream TEXT, version INTEGER, position INTEGER, "
      "state " DAYBOOK_SQL_STATE_TYPE ")";
  static int BestIndex(Tables* tables, sqlite3_index_info* info) {
    return BestStreams(tables, info);
  }
  static std::unique_ptr<TableCursor> Open(Tables* tables) {
    return std::make_unique<StateCursor>(tables);
  }
};

constexpr sqlite3_module kStreamsModule = Module<StreamsTable>::Make();
constexpr sqlite3_module kStateModule = Module<StateTable>::Make();

}  // namespace

absl::Status AddStreamsTable(Tables* tables) {
  return tables->database->AddTable("streams", &kStreamsModule, tables);
}

absl::Status AddStateTable(Tables* tables) {
  return tables->database->AddTable("state", &kStateModule, tables);
}

}  // namespace daybook::sql
