#include "bindings/sql/query.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace daybook::sql {

void Query::Begin() {
  begun_ = true;
  head_ = reader_.visible();
  if (options_.timeout.count() > 0) deadline_ = std::chrono::steady_clock::now() + options_.timeout;
}

void Query::Reset() {
  begun_ = false;
  deadline_.reset();
  status_ = absl::OkStatus();
}

ReadOptions Query::ReadAll() {
  ReadOptions read;
  read.as_of = options_.as_of;
  read.views = Views::kUntilNext;
  read.keep_going = [this] { return KeepGoing(); };
  return read;
}

absl::Status Query::CheckComplete() {
  ReadOptions read = ReadAll();
  read.from_position = Position(head_.value() + 1);
  absl::StatusOr<Cursor> cursor = reader_.Read(read);
  if (!cursor.ok()) return cursor.status();
  return cursor->Next().status();
}

absl::StatusOr<AsOf> Query::AtPosition() {
  Position position = options_.as_of.position.value_or(head_);
  if (options_.as_of.recorded_at) {
    const absl::StatusOr<Position> at = reader_.PositionAt(*options_.as_of.recorded_at);
    if (!at.ok()) return at.status();
    position = std::min(*at, head_);
  }
  return AsOf::AtPosition(position);
}

bool Query::KeepGoing() {
  if (!status_.ok()) return false;
  if (options_.interrupted && options_.interrupted()) {
    Fail(absl::CancelledError("the query was interrupted"));
  } else if (deadline_ && std::chrono::steady_clock::now() >= *deadline_) {
    Fail(absl::DeadlineExceededError(absl::StrCat("the query was not done in ",
                                                  options_.timeout.count(),
                                                  " ms; ask for less, or give it more time")));
  }
  return status_.ok();
}

void Query::Fail(absl::Status status) {
  if (status_.ok()) status_ = std::move(status);
}

}  // namespace daybook::sql
