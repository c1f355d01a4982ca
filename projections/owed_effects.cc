#include "projections/owed_effects.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "daybook/tables.h"
#include "projections/checkpoint.h"
#include "projections/effects.h"
#include "projections/parking.h"

namespace daybook {
namespace {

constexpr std::size_t kPortionBytes = std::size_t{16} << 20;

std::string OwedKey(Position position) { return kParkedOwed + EncodeKey(position); }

absl::Status OwedDamaged() {
  return absl::DataLossError("what a read model owes is damaged; rebuild and promote it");
}

// Deletes the entries of a table whose key begins with `prefix` and is none that `keeps` says yes
// to, in portions.
absl::Status DeleteEntries(TableHandle table, std::string_view prefix,
                           const std::function<bool(std::string_view)>& keeps,
                           Generation* generation) {
  std::string from(prefix);
  for (bool more = true; more;) {
    const std::string begin = from;
    const auto portion = [&](WriteTransaction& transaction) -> absl::Status {
      std::vector<std::string> keys;
      {
        DAYBOOK_ASSIGN_OR_RETURN(TableCursor cursor, transaction.OpenCursor(table));
        DAYBOOK_ASSIGN_OR_RETURN(more, cursor.Seek(begin));
        std::size_t bytes = 0;
        while (more && cursor.key().starts_with(prefix) && bytes < kPortionBytes) {
          if (!keeps(cursor.key())) {
            keys.emplace_back(cursor.key());
            bytes += cursor.key().size() + cursor.value().size();
          }
          DAYBOOK_ASSIGN_OR_RETURN(more, cursor.Next());
        }
        more = more && cursor.key().starts_with(prefix);
        if (more) from = cursor.key();
      }
      for (const std::string& key : keys) {
        DAYBOOK_RETURN_IF_ERROR(transaction.Delete(table, key).status());
      }
      return absl::OkStatus();
    };
    DAYBOOK_RETURN_IF_ERROR(generation->Write(portion));
  }
  return absl::OkStatus();
}

absl::Status WriteOwed(const OwedEffects& owed, Generation* to) {
  const std::string prefix(1, kParkedOwed);
  DAYBOOK_RETURN_IF_ERROR(DeleteEntries(
      to->parked(), prefix, [](std::string_view) { return false; }, to));
  constexpr std::size_t kAtOnce = kPortionBytes / kPageBytes;
  for (std::size_t done = 0; done < owed.size(); done += kAtOnce) {
    const auto portion = [&](WriteTransaction& transaction) -> absl::Status {
      for (std::size_t i = done; i < std::min(done + kAtOnce, owed.size()); ++i) {
        DAYBOOK_RETURN_IF_ERROR(transaction.Put(to->parked(), OwedKey(owed[i]), {}));
      }
      return absl::OkStatus();
    };
    DAYBOOK_RETURN_IF_ERROR(to->Write(portion));
  }
  return absl::OkStatus();
}

// What waits in `from`.
absl::Status CopyEffects(const Transaction& view, const Generation& from, Generation* to) {
  DAYBOOK_ASSIGN_OR_RETURN(TableCursor cursor, view.OpenCursor(from.effects()));
  DAYBOOK_ASSIGN_OR_RETURN(bool more, cursor.Next());
  while (more) {
    std::vector<std::pair<std::string, std::string>> entries;
    for (std::size_t bytes = 0; more && bytes < kPortionBytes;) {
      entries.emplace_back(cursor.key(), cursor.value());
      bytes += entries.back().first.size() + entries.back().second.size();
      DAYBOOK_ASSIGN_OR_RETURN(more, cursor.Next());
    }
    const auto portion = [&](WriteTransaction& transaction) -> absl::Status {
      for (const auto& [key, payload] : entries) {
        DAYBOOK_RETURN_IF_ERROR(transaction.Put(to->effects(), key, payload));
      }
      return absl::OkStatus();
    };
    DAYBOOK_RETURN_IF_ERROR(to->Write(portion));
  }
  return absl::OkStatus();
}

}  // namespace

bool Owes(const OwedEffects& owed, Position position) {
  return std::binary_search(owed.begin(), owed.end(), position);
}

absl::StatusOr<OwedEffects> ReadOwed(const Transaction& view, const Generation& generation) {
  OwedEffects owed;
  DAYBOOK_ASSIGN_OR_RETURN(TableCursor cursor, view.OpenCursor(generation.parked()));
  DAYBOOK_ASSIGN_OR_RETURN(bool more, cursor.Seek(std::string(1, kParkedOwed)));
  while (more && cursor.key().front() == kParkedOwed) {
    std::string_view rest = cursor.key().substr(1);
    if (!KeyCodec<Position>::Decode(rest, &owed.emplace_back()) || !rest.empty()) {
      return OwedDamaged();
    }
    DAYBOOK_ASSIGN_OR_RETURN(more, cursor.Next());
  }
  return owed;
}

absl::StatusOr<OwedEffects> FindOwed(const Transaction& view, const Generation& live,
                                     Position floor) {
  DAYBOOK_ASSIGN_OR_RETURN(const Checkpoint checkpoint, live.ReadCheckpoint(view));
  DAYBOOK_ASSIGN_OR_RETURN(const OwedEffects before, ReadOwed(view, live));
  OwedEffects owed;
  DAYBOOK_RETURN_IF_ERROR(
      VisitParked(view, live.parked(), [&](const std::string&, Position position) {
        // Else an earlier one has made them, and it is parked here in vain.
        if (position > floor || Owes(before, position)) owed.push_back(position);
      }));
  // What it has not come to yet it has not made.
  std::copy_if(before.begin(), before.end(), std::back_inserter(owed),
               [&](Position position) { return position > checkpoint.position; });
  std::sort(owed.begin(), owed.end());
  return owed;
}

absl::Status HandOverEffects(const Generation& live, Position floor, Generation* to) {
  DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction view, live.environment().BeginRead());
  DAYBOOK_ASSIGN_OR_RETURN(const OwedEffects owed, FindOwed(view, live, floor));
  const auto is_owed = [&](std::string_view key) {
    Position position;
    return KeyCodec<Position>::Decode(key, &position) && Owes(owed, position);
  };
  DAYBOOK_RETURN_IF_ERROR(DeleteEntries(to->effects(), {}, is_owed, to));
  DAYBOOK_RETURN_IF_ERROR(CopyEffects(view, live, to));
  DAYBOOK_RETURN_IF_ERROR(WriteOwed(owed, to));
  return to->environment().Sync();
}

absl::Status ForgetEffects(Generation* to) {
  DAYBOOK_RETURN_IF_ERROR(DeleteEntries(
      to->effects(), {}, [](std::string_view) { return false; }, to));
  DAYBOOK_RETURN_IF_ERROR(WriteOwed({}, to));
  return to->environment().Sync();
}

}  // namespace daybook
