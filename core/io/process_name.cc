#include "io/process_name.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>

namespace daybook {

std::string ProcessName() {
  std::error_code error;
  const std::string process = std::filesystem::read_symlink("/proc/self", error).string();
  if (error) return {};
  const std::string pid_namespace =
      std::filesystem::read_symlink("/proc/self/ns/pid", error).string();
  if (error) return {};
  std::string name;
  std::copy_if(pid_namespace.begin(), pid_namespace.end(), std::back_inserter(name),
               [](char c) { return c >= '0' && c <= '9'; });
  return name + "-" + process;
}

}  // namespace daybook
