// Several sources of rows as one, in order of key.

#ifndef DAYBOOK_PROJECTIONS_MERGED_ROWS_H_
#define DAYBOOK_PROJECTIONS_MERGED_ROWS_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/status.h"
#include "projections/sorted_run.h"

namespace daybook {

// Where several have the same key the first of them counts. For a handful of sources: it looks at
// all of them for each row.
class MergedRows : public RowSource {
 public:
  explicit MergedRows(std::vector<std::unique_ptr<RowSource>> sources) {
    for (std::unique_ptr<RowSource>& source : sources) inputs_.push_back({std::move(source)});
  }

  absl::StatusOr<bool> Next() override {
    current_ = nullptr;
    for (Input& input : inputs_) {
      if (input.taken) {
        DAYBOOK_ASSIGN_OR_RETURN(input.more, input.source->Next());
        input.taken = false;
      }
      if (input.more && (current_ == nullptr || input.source->key() < current_->key())) {
        current_ = input.source.get();
      }
    }
    if (current_ == nullptr) return false;
    sources_of_key_ = 0;
    for (Input& input : inputs_) {
      input.taken = input.more && input.source->key() == current_->key();
      sources_of_key_ += input.taken ? 1 : 0;
    }
    return true;
  }
  [[nodiscard]] std::string_view key() const override { return current_->key(); }
  [[nodiscard]] std::optional<std::string_view> row() const override { return current_->row(); }
  // How many sources have the key.
  [[nodiscard]] std::size_t sources_of_key() const { return sources_of_key_; }

 private:
  struct Input {
    std::unique_ptr<RowSource> source;
    bool taken = true;  // what it is at was given
    bool more = true;
  };
  std::vector<Input> inputs_;
  RowSource* current_ = nullptr;
  std::size_t sources_of_key_ = 0;
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_MERGED_ROWS_H_
