// The inside of a ReadSnapshot.

#ifndef DAYBOOK_PROJECTIONS_READ_SNAPSHOT_H_
#define DAYBOOK_PROJECTIONS_READ_SNAPSHOT_H_

#include <memory>

#include "daybook/read_model.h"
#include "kv/environment.h"
#include "projections/checkpoint.h"
#include "projections/generation.h"

namespace daybook {

class ReadSnapshot::Impl {
 public:
  std::shared_ptr<Generation> generation;  // outlives the view
  ReadTransaction view;
  Checkpoint checkpoint;
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_READ_SNAPSHOT_H_
