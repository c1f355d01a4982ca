// What tells this process from every other one of the machine.

#ifndef DAYBOOK_IO_PROCESS_NAME_H_
#define DAYBOOK_IO_PROCESS_NAME_H_

#include <string>

namespace daybook {

// "<pid namespace>-<pid>": two processes that live at the same time have different names, also
// where they are in different containers. Empty where there is no /proc to ask.
[[nodiscard]] std::string ProcessName();

}  // namespace daybook

#endif  // DAYBOOK_IO_PROCESS_NAME_H_
