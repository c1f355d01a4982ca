// Opening a store for the commands that append.

#ifndef DAYBOOK_CLI_OPEN_STORE_H_
#define DAYBOOK_CLI_OPEN_STORE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cli/console.h"
#include "daybook/store.h"

namespace daybook::cli {

// Opens `path` for appending. Creates it, if `create` allows, where it is missing or an empty
// folder, and then says so on stderr.
absl::StatusOr<std::unique_ptr<Store>> OpenForAppend(const std::string& path, bool create,
                                                     Durability durability, Console& console);

// Opens `path` for reading; with `no_mmap` its files are read and never mapped.
absl::StatusOr<std::unique_ptr<Reader>> OpenForRead(const std::string& path, bool no_mmap,
                                                    Console& console);

// What stands in the way of reading beyond the visible events, if anything does: kDataLoss, or
// kFailedPrecondition (a newer format). A reader opens up to it; an answer that ends there is not
// the whole answer.
absl::Status CheckReadableToTheEnd(const Reader& reader);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_OPEN_STORE_H_
