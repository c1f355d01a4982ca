// What every virtual table needs: SQLite's calls, as methods of a cursor.

#ifndef DAYBOOK_BINDINGS_SQL_TABLE_H_
#define DAYBOOK_BINDINGS_SQL_TABLE_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "bindings/sql/database.h"

namespace daybook::sql {

// What xBestIndex chose.
struct Plan {
  std::string_view constraints;  // two characters each: a column, and a relation (constraint.h)
  int flags = 0;
};

class TableCursor : public sqlite3_vtab_cursor {
 public:
  TableCursor() : sqlite3_vtab_cursor{} {}
  virtual ~TableCursor() = default;
  // Goes to the first row.
  virtual absl::Status Filter(const Plan& plan, std::span<sqlite3_value*> arguments) = 0;
  virtual absl::Status Next() = 0;
  [[nodiscard]] virtual bool AtEnd() const = 0;
  virtual absl::Status Column(sqlite3_context* context, int column) = 0;
  [[nodiscard]] virtual std::int64_t row_id() const = 0;
};

// `Context` is what was given to Database::AddTable, and lives as long as the connection.
template <class Context>
struct Table : public sqlite3_vtab {
  Table() : sqlite3_vtab{} {}
  Context* context = nullptr;
};

// `Traits` has Context (with a member `database`), kSchema, BestIndex(Context*,
// sqlite3_index_info*) and Open(Context*), which makes a cursor.
template <class Traits>
class Module {
 public:
  using Context = typename Traits::Context;

  static constexpr sqlite3_module Make() {
    sqlite3_module module{};
    module.iVersion = 2;
    module.xConnect = &Connect;  // no xCreate: the table is there by the module's name alone
    module.xBestIndex = &BestIndex;
    module.xDisconnect = &Disconnect;
    module.xOpen = &Open;
    module.xClose = &Close;
    module.xFilter = &Filter;
    module.xNext = &Next;
    module.xEof = &Eof;
    module.xColumn = &Column;
    module.xRowid = &RowId;
    return module;
  }

 private:
  static Context* ContextOf(sqlite3_vtab* table) {
    return static_cast<Table<Context>*>(table)->context;
  }
  static TableCursor* Of(sqlite3_vtab_cursor* cursor) { return static_cast<TableCursor*>(cursor); }
  static int Answer(sqlite3_vtab_cursor* cursor, absl::Status status) {
    if (status.ok()) return SQLITE_OK;
    ContextOf(cursor->pVtab)->database->Fail(std::move(status));
    return SQLITE_ERROR;
  }

  static int Connect(sqlite3* /*db*/, void* context, int /*count*/,
                     const char* const* /*arguments*/, sqlite3_vtab** table, char** /*error*/) {
    auto made = std::make_unique<Table<Context>>();
    made->context = static_cast<Context*>(context);
    const int code = made->context->database->Declare(Traits::kSchema);
    if (code != SQLITE_OK) return code;
    *table = made.release();
    return SQLITE_OK;
  }
  static int Disconnect(sqlite3_vtab* table) {
    delete static_cast<Table<Context>*>(table);
    return SQLITE_OK;
  }
  static int BestIndex(sqlite3_vtab* table, sqlite3_index_info* info) {
    return Traits::BestIndex(ContextOf(table), info);
  }
  static int Open(sqlite3_vtab* table, sqlite3_vtab_cursor** cursor) {
    *cursor = Traits::Open(ContextOf(table)).release();
    return SQLITE_OK;
  }
  static int Close(sqlite3_vtab_cursor* cursor) {
    delete Of(cursor);
    return SQLITE_OK;
  }
  static int Filter(sqlite3_vtab_cursor* cursor, int flags, const char* constraints, int count,
                    sqlite3_value** arguments) {
    const Plan plan{constraints == nullptr ? std::string_view() : constraints, flags};
    return Answer(cursor, Of(cursor)->Filter(plan, {arguments, static_cast<std::size_t>(count)}));
  }
  static int Next(sqlite3_vtab_cursor* cursor) { return Answer(cursor, Of(cursor)->Next()); }
  static int Eof(sqlite3_vtab_cursor* cursor) { return Of(cursor)->AtEnd() ? 1 : 0; }
  static int Column(sqlite3_vtab_cursor* cursor, sqlite3_context* context, int column) {
    return Answer(cursor, Of(cursor)->Column(context, column));
  }
  static int RowId(sqlite3_vtab_cursor* cursor, sqlite3_int64* row_id) {
    *row_id = Of(cursor)->row_id();
    return SQLITE_OK;
  }
};

}  // namespace daybook::sql

#endif  // DAYBOOK_BINDINGS_SQL_TABLE_H_
