// The columns of an event.

#ifndef DAYBOOK_BINDINGS_SQL_EVENT_COLUMNS_H_
#define DAYBOOK_BINDINGS_SQL_EVENT_COLUMNS_H_

#include <sqlite3.h>

#include <cstdint>
#include <string_view>

#include "daybook/event.h"
#include "daybook/json_fold.h"

namespace daybook::sql {

// In the order of EventColumn; times compare by kTimeCollation.
#define DAYBOOK_SQL_EVENT_COLUMNS                                              \
  "position INTEGER, stream TEXT, category TEXT, version INTEGER, type TEXT, " \
  "id TEXT, recorded_at TEXT COLLATE daybook_time, "                           \
  "effective_at TEXT COLLATE daybook_time, recorded_ns INTEGER, "              \
  "effective_ns INTEGER, data TEXT, data_blob BLOB, metadata TEXT, tags TEXT"

// The type of a column that holds the state of a fold: a number that is text, because it would not
// fit, is compared as a number all the same.
#define DAYBOOK_SQL_STATE_TYPE "NUMERIC"

enum EventColumn : int {
  kPosition,
  kStream,
  kCategory,
  kVersion,
  kType,
  kId,
  kRecordedAt,
  kEffectiveAt,
  kRecordedNs,
  kEffectiveNs,
  kData,
  kDataBlob,
  kMetadata,
  kTags,
  kEventColumns,  // how many there are
};

// SQLite copies what it is given here: a row's values may outlive the row (max() keeps one), which
// the views of an event need not.
void ResultText(sqlite3_context* context, std::string_view text);
void ResultCount(sqlite3_context* context, std::uint64_t count);
// A state, as JSON: of a sum or a count as an integer, where it is one and fits.
void ResultState(sqlite3_context* context, const JsonFold& fold, std::string_view json);
void ResultTime(sqlite3_context* context, Timestamp time);
void ResultEventColumn(sqlite3_context* context, int column, const EventView& event);

}  // namespace daybook::sql

#endif  // DAYBOOK_BINDINGS_SQL_EVENT_COLUMNS_H_
