// The tables of a session.

#ifndef DAYBOOK_BINDINGS_SQL_TABLES_H_
#define DAYBOOK_BINDINGS_SQL_TABLES_H_

#include "absl/status/status.h"
#include "bindings/sql/database.h"
#include "daybook/sql.h"

namespace daybook::sql {

// What they read; lives as long as the connection.
struct Tables {
  Database* database;
  const Reader* reader;
  const SqlOptions* options;
};

absl::Status AddEventsTable(Tables* tables);
absl::Status AddStreamsTable(Tables* tables);
absl::Status AddStateTable(Tables* tables);

}  // namespace daybook::sql

#endif  // DAYBOOK_BINDINGS_SQL_TABLES_H_
