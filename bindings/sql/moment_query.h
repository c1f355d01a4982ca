// Where a query compares times and SQLite would compare text.
//
// A collation of a column is lost where the column goes through a function or a scalar subquery,
// and where another column stands left of it. A collation that is written behind an operand is not:
// it goes through functions, and comes first. So it is written: kTimeCollation behind every name
// of a time column, kMomentCollation behind every text that is a time. (https://sqlite.org/
// datatype3.html, "Assigning Collating Sequences from SQL".)
//
// Names are taken as names, without a look at what they stand for: those of the time columns, and
// those that are given to them by AS. One that stands for something else is compared as it would
// be, unless both sides are times.

#ifndef DAYBOOK_BINDINGS_SQL_MOMENT_QUERY_H_
#define DAYBOOK_BINDINGS_SQL_MOMENT_QUERY_H_

#include <string>
#include <string_view>

namespace daybook::sql {

// The query with its collations. Where it does not compile, the query itself has to do.
std::string WithMoments(std::string_view sql);

}  // namespace daybook::sql

#endif  // DAYBOOK_BINDINGS_SQL_MOMENT_QUERY_H_
