// SQL over a store, read-only, through SQLite's virtual tables.
//
//   events(position, stream, category, version, type, id, recorded_at, effective_at, recorded_ns,
//          effective_ns, data, data_blob, metadata, tags)
//   streams(stream, version, first_position, last_position, last_recorded_at)
//   state(stream, version, position, state)         -- by SqlOptions::fold
//
// `data` is the stored JSON text, NULL where it is none; `data_blob` the bytes as stored, of any
// event; `tags` a JSON array. The columns recorded_at, effective_at and last_recorded_at are RFC
// 3339 text in UTC with nine decimals; compared with any RFC 3339 text they compare as moments, in
// every place of a query, and with any other text they are an error. The *_ns columns are the same
// moments as integers.

#ifndef DAYBOOK_SQL_H_
#define DAYBOOK_SQL_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/json_fold.h"
#include "daybook/moment.h"
#include "daybook/store.h"

namespace daybook {

struct SqlOptions {
  // Every query sees the store at this moment; without one, each sees it as it was when it was
  // begun, in all its tables. With an effective bound `events` has the events that hold by then, by
  // position; `streams` and `state` have the streams that such an event stands in, with version and
  // positions as known at the other bound; `state` folds by (effective_at, position). No version.
  AsOf as_of;
  JsonFold fold;  // of the table `state`
  // How long one query may run, from its first step on; 0: as long as it takes. It holds also where
  // nothing is found.
  std::chrono::milliseconds timeout{0};
  // Asked now and then while a query runs; true ends it with kCancelled.
  std::function<bool()> interrupted;
};

// NULL, INTEGER, REAL, TEXT, BLOB. What it points to is valid until the next Step().
using SqlValue = std::variant<std::monostate, std::int64_t, double, std::string_view,
                              std::span<const std::byte>>;

// A query on its way. Used by one thread at a time; must not outlive its session.
class SqlStatement {
 public:
  SqlStatement(SqlStatement&&) noexcept;
  SqlStatement& operator=(SqlStatement&&) noexcept;
  ~SqlStatement();

  // Sets parameter `index`, from 1. kInvalidArgument where there is none such.
  absl::Status Bind(int index, const SqlValue& value);
  // The next row; false at the end. kInvalidArgument for an error of the query, kDeadlineExceeded
  // for its time, kCancelled where it was interrupted, kDataLoss where events cannot be read.
  absl::StatusOr<bool> Step();
  // Begins anew, with the parameters kept, and at the latest moment where the session has none.
  void Reset();

  [[nodiscard]] int columns() const;
  [[nodiscard]] std::string_view column_name(int index) const;  // valid as long as the statement
  [[nodiscard]] SqlValue column(int index) const;

  class Impl;
  explicit SqlStatement(std::unique_ptr<Impl> impl);  // for the library's own use

 private:
  std::unique_ptr<Impl> impl_;
};

// A connection to the tables of one store. Only SELECT is possible: a statement that writes,
// attaches, sets a PRAGMA or loads an extension is kInvalidArgument. Used by one thread at a time;
// several sessions may be used by several threads. The reader must outlive it.
class SqlSession {
 public:
  // kInvalidArgument where the moment is not one that a store can be read at.
  static absl::StatusOr<std::unique_ptr<SqlSession>> Open(const Reader& reader,
                                                          const SqlOptions& options);
  ~SqlSession();
  SqlSession(const SqlSession&) = delete;
  SqlSession& operator=(const SqlSession&) = delete;

  // One statement; kInvalidArgument says what is wrong with it, and where.
  absl::StatusOr<SqlStatement> Prepare(std::string_view sql);

  class Impl;

 private:
  explicit SqlSession(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace daybook

#endif  // DAYBOOK_SQL_H_
