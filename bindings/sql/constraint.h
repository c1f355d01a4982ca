// The parts of a WHERE clause that a table takes upon itself. SQLite checks every row again, so
// what is taken may be weaker than what was asked, never stronger.

#ifndef DAYBOOK_BINDINGS_SQL_CONSTRAINT_H_
#define DAYBOOK_BINDINGS_SQL_CONSTRAINT_H_

#include <sqlite3.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace daybook::sql {

// As they stand in a plan.
enum class Relation : char {
  kEqual = '=',
  kLess = '<',
  kAtMost = '[',
  kGreater = '>',
  kAtLeast = ']',
  kIn = 'I',
};

// The relation of a constraint; nothing where it is another one.
std::optional<Relation> RelationOf(unsigned char op);

// The numbers that a column may have, both ends included.
struct Range {
  std::int64_t first = std::numeric_limits<std::int64_t>::min();
  std::int64_t last = std::numeric_limits<std::int64_t>::max();
  [[nodiscard]] bool empty() const { return first > last; }
  void Narrow(Relation relation, std::int64_t value);
};

// Collects what xBestIndex chooses.
class PlanBuilder {
 public:
  explicit PlanBuilder(sqlite3_index_info* info) : info_(info) {}
  // Asks for the value of constraint `index` at the next place of xFilter's arguments.
  void Take(int index, char column, Relation relation);
  [[nodiscard]] bool Takes(char column, Relation relation) const;
  // SQLITE_OK, or SQLITE_NOMEM.
  int Finish(int flags, double rows, double row_cost);

 private:
  sqlite3_index_info* info_;
  std::string constraints_;
};

// Whether texts are compared byte by byte in constraint `index`.
bool IsBinary(sqlite3_index_info* info, int index);
// Whether times are compared as moments in it.
bool IsByMoment(sqlite3_index_info* info, int index);

// The text of a value, valid as long as the value.
std::string_view TextOf(sqlite3_value* value);

}  // namespace daybook::sql

#endif  // DAYBOOK_BINDINGS_SQL_CONSTRAINT_H_
