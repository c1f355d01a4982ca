// A query on its way: the moment that it sees, how long it may run, and why it had to end.

#ifndef DAYBOOK_BINDINGS_SQL_QUERY_H_
#define DAYBOOK_BINDINGS_SQL_QUERY_H_

#include <chrono>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "daybook/read.h"
#include "daybook/sql.h"

namespace daybook::sql {

class Query {
 public:
  Query(const Reader& reader, const SqlOptions& options) : reader_(reader), options_(options) {}

  // Before the first step of a run: its time begins, and what it sees is what is visible now.
  void Begin();
  [[nodiscard]] bool begun() const { return begun_; }
  void Reset();

  [[nodiscard]] const Reader& reader() const { return reader_; }
  [[nodiscard]] const SqlOptions& options() const { return options_; }
  // The last position that the run sees. Later appends stand behind it.
  [[nodiscard]] Position head() const { return head_; }
  // A read of what the run sees: but for events behind head(), which it may give, too. A read that
  // is cut at a position does not say that what follows cannot be read; so it is not cut here.
  [[nodiscard]] ReadOptions ReadAll();
  // OK, or why what follows the last visible event cannot be read although the query asks for it.
  [[nodiscard]] absl::Status CheckComplete();
  // The moment of the query by a position, for what knows no other.
  [[nodiscard]] absl::StatusOr<AsOf> AtPosition();

  // False where the time is up or somebody interrupts; status() then says so.
  bool KeepGoing();
  // The first failure is the one that is told.
  void Fail(absl::Status status);
  [[nodiscard]] const absl::Status& status() const { return status_; }

 private:
  const Reader& reader_;
  const SqlOptions& options_;
  bool begun_ = false;
  Position head_;
  std::optional<std::chrono::steady_clock::time_point> deadline_;
  absl::Status status_;
};

}  // namespace daybook::sql

#endif  // DAYBOOK_BINDINGS_SQL_QUERY_H_
