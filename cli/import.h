// `daybook import`: a file of events into a store.
//
// One thread reads, parses and encodes; another appends. The batches between them are few, so
// memory stays bounded, and each keeps its records, so that a refused commit can be taken apart and
// the line found.

#ifndef DAYBOOK_CLI_IMPORT_H_
#define DAYBOOK_CLI_IMPORT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "cli/console.h"
#include "cli/event_parser.h"
#include "daybook/values.h"

namespace daybook::cli {

struct ImportFlags {
  std::string store;
  std::string file;    // "-" is standard input
  std::string source;  // keeps the ids of different sources apart
  FieldNames fields;
  std::optional<InputFormat> format;  // by the file's name, if not given
  std::size_t batch = 1000;           // events a commit
  Durability durability = Durability::kSync;
  bool skip_bad_lines = false;
  bool create = true;
};

// Prints the counts, on failure too.
absl::Status RunImport(const ImportFlags& flags, Console& console);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_IMPORT_H_
