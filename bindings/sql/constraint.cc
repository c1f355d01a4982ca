#include "bindings/sql/constraint.h"

#include <algorithm>
#include <cstddef>

#include "bindings/sql/moment_text.h"

namespace daybook::sql {

std::optional<Relation> RelationOf(unsigned char op) {
  switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
    case SQLITE_INDEX_CONSTRAINT_IS:
      return Relation::kEqual;
    case SQLITE_INDEX_CONSTRAINT_LT:
      return Relation::kLess;
    case SQLITE_INDEX_CONSTRAINT_LE:
      return Relation::kAtMost;
    case SQLITE_INDEX_CONSTRAINT_GT:
      return Relation::kGreater;
    case SQLITE_INDEX_CONSTRAINT_GE:
      return Relation::kAtLeast;
    default:
      return std::nullopt;
  }
}

void Range::Narrow(Relation relation, std::int64_t value) {
  constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  const bool nothing = (relation == Relation::kLess && value == kMin) ||
                       (relation == Relation::kGreater && value == kMax);
  if (nothing) {
    *this = {.first = kMax, .last = kMin};
    return;
  }
  const bool equal = relation == Relation::kEqual;
  if (equal || relation == Relation::kAtLeast) first = std::max(first, value);
  if (relation == Relation::kGreater) first = std::max(first, value + 1);
  if (equal || relation == Relation::kAtMost) last = std::min(last, value);
  if (relation == Relation::kLess) last = std::min(last, value - 1);
}

void PlanBuilder::Take(int index, char column, Relation relation) {
  constraints_ += column;
  constraints_ += static_cast<char>(relation);
  info_->aConstraintUsage[index].argvIndex = static_cast<int>(constraints_.size() / 2);
}

bool PlanBuilder::Takes(char column, Relation relation) const {
  for (std::size_t i = 0; i + 1 < constraints_.size(); i += 2) {
    if (constraints_[i] == column && constraints_[i + 1] == static_cast<char>(relation)) {
      return true;
    }
  }
  return false;
}

int PlanBuilder::Finish(int flags, double rows, double row_cost) {
  info_->idxNum = flags;
  info_->idxStr = sqlite3_mprintf("%s", constraints_.c_str());
  if (info_->idxStr == nullptr) return SQLITE_NOMEM;
  info_->needToFreeIdxStr = 1;
  info_->estimatedRows = static_cast<sqlite3_int64>(std::max(1.0, rows));
  info_->estimatedCost = std::max(1.0, rows * row_cost);
  return SQLITE_OK;
}

bool IsBinary(sqlite3_index_info* info, int index) {
  return sqlite3_stricmp(sqlite3_vtab_collation(info, index), "BINARY") == 0;
}

bool IsByMoment(sqlite3_index_info* info, int index) {
  const char* const collation = sqlite3_vtab_collation(info, index);
  return sqlite3_stricmp(collation, kTimeCollation) == 0 ||
         sqlite3_stricmp(collation, kMomentCollation) == 0;
}

std::string_view TextOf(sqlite3_value* value) {
  // The size is asked for behind the text: it is that of the text as it was last given.
  const auto* const text = reinterpret_cast<const char*>(sqlite3_value_text(value));
  if (text == nullptr) return {};
  return {text, static_cast<std::size_t>(sqlite3_value_bytes(value))};
}

}  // namespace daybook::sql
