// Puts the rows of a rebuild into its generation, in order of key.

#ifndef DAYBOOK_PROJECTIONS_BULK_LOAD_H_
#define DAYBOOK_PROJECTIONS_BULK_LOAD_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "projections/checkpoint.h"
#include "projections/generation.h"
#include "projections/sorted_run.h"

namespace daybook {

struct BulkLoad {
  Generation* generation = nullptr;
  // Of the threads, each with the rows that it has touched, as row_map.h has keys.
  std::vector<std::unique_ptr<RowSource>> changes;
  // As it is to be afterwards, but for rows and digests of the tables, which are still those of the
  // rows that are there.
  Checkpoint checkpoint;
  // What goes into the last transaction beside the checkpoint.
  std::function<absl::Status(WriteTransaction&)> finish;
};

// Writes them in transactions of at most 64 MiB. Tables without a row are filled from the left, so
// that their pages are full. Until the last transaction the generation's checkpoint says that it is
// not built: a process that dies in here leaves one that is removed, or all of it. Durable on
// return.
//
// kFailedPrecondition names a row that two of the sources have touched. Other errors as
// Generation::Write; the generation is then not built, and of no more use.
absl::Status LoadInBulk(BulkLoad load);

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_BULK_LOAD_H_
