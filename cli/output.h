// stdout, in large writes.

#ifndef DAYBOOK_CLI_OUTPUT_H_
#define DAYBOOK_CLI_OUTPUT_H_

#include <string>

#include "absl/status/status.h"

namespace daybook::cli {

// Collects text and writes it in pieces of at least 256 KiB. Where the reader of a pipe has gone,
// what is written is dropped without an error, and closed() says so. Not thread-safe.
class Output {
 public:
  explicit Output(int descriptor) : descriptor_(descriptor) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Text is appended here.
  [[nodiscard]] std::string& buffer() { return buffer_; }
  // Writes if there is enough of it. kResourceExhausted where the disk is full.
  absl::Status FlushIfLarge();
  // Writes what there is.
  absl::Status Flush();
  [[nodiscard]] bool closed() const { return closed_; }

 private:
  int descriptor_;
  bool closed_ = false;
  std::string buffer_;
};

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_OUTPUT_H_
