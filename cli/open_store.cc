#include "cli/open_store.h"

#include <chrono>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace daybook::cli {

absl::StatusOr<std::unique_ptr<Store>> OpenForAppend(const std::string& path, bool create,
                                                     Durability durability, Console& console) {
  std::error_code ignored;  // what stands in the way of looking stands in the way of opening
  const bool missing =
      !std::filesystem::exists(path, ignored) || std::filesystem::is_empty(path, ignored);
  StoreOptions options;
  options.create = create ? StoreOptions::Create::kIfMissing : StoreOptions::Create::kNever;
  options.durability = durability;
  options.on_notice = console.notice_handler();
  absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(path, options);
  if (store.ok() && missing) {
    console.PrintNotice(Notice::Severity::kInfo, absl::StrCat("created a new store, ", path));
  }
  return store;
}

absl::StatusOr<std::unique_ptr<Reader>> OpenForRead(const std::string& path, bool no_mmap,
                                                    Console& console) {
  ReaderOptions options;
  options.access = no_mmap ? FileAccess::kRead : FileAccess::kMap;
  options.on_notice = console.notice_handler();
  return Reader::Open(path, options);
}

absl::Status CheckReadableToTheEnd(const Reader& reader) {
  // A wait for what cannot come says why it cannot.
  const Position next(reader.visible().value() + 1);
  const absl::StatusOr<Position> visible = reader.WaitVisible(next, std::chrono::milliseconds(0));
  return absl::IsDeadlineExceeded(visible.status()) ? absl::OkStatus() : visible.status();
}

}  // namespace daybook::cli
