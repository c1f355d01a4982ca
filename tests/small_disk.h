// A disk of a given size that only this process sees, and how it is filled.

#ifndef DAYBOOK_TESTS_SMALL_DISK_H_
#define DAYBOOK_TESTS_SMALL_DISK_H_

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "tests/catch.h"
#include "tests/child.h"
#include "tests/temp_folder.h"

namespace daybook::testing {

inline bool WriteText(const char* path, const std::string& text) {
  std::ofstream out(path);
  out << text;
  return static_cast<bool>(out.flush());
}

// Mounts a tmpfs. kUnavailable where that is not allowed here.
inline absl::Status MountSmallDisk(const std::filesystem::path& path, const std::string& size) {
  const std::string uid = std::to_string(geteuid());
  const std::string gid = std::to_string(getegid());
  const bool root = geteuid() == 0;
  if (unshare(root ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0) {
    return absl::UnavailableError("unshare is not allowed");
  }
  if (!root && !(WriteText("/proc/self/setgroups", "deny") &&
                 WriteText("/proc/self/uid_map", "0 " + uid + " 1") &&
                 WriteText("/proc/self/gid_map", "0 " + gid + " 1"))) {
    return absl::UnavailableError("a user namespace is not allowed");
  }
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("tmpfs", path.c_str(), "tmpfs", 0, ("size=" + size).c_str()) != 0) {
    return absl::UnavailableError("mount is not allowed");
  }
  return absl::OkStatus();
}

// Takes all the room that is left, but for some pages.
inline void FillDisk(const std::filesystem::path& disk, std::uint64_t pages_left = 0) {
  const std::filesystem::path filler = disk / "filler";
  const int fd = open(filler.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  const std::string page(4096, 'f');
  while (write(fd, page.data(), page.size()) == static_cast<ssize_t>(page.size())) {
  }
  close(fd);
  const std::uint64_t pages = std::filesystem::file_size(filler) / page.size();
  std::filesystem::resize_file(filler, (pages - std::min(pages, pages_left)) * page.size());
}
inline void MakeRoom(const std::filesystem::path& disk) {
  std::filesystem::remove(disk / "filler");
}

// Runs the body in a child, with an empty disk of this size. Skips where there can be none.
inline void RunOnDisk(const std::string& size,
                      const std::function<absl::Status(const std::filesystem::path&)>& body) {
  TempFolder folder;
  const absl::Status status = InChild([&]() -> absl::Status {
    const absl::Status mounted = MountSmallDisk(folder.path(), size);
    return mounted.ok() ? body(folder.path()) : mounted;
  });
  if (absl::IsUnavailable(status)) DAYBOOK_SKIP(std::string(status.message()));
  CHECK_OK(status);
}

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_SMALL_DISK_H_
