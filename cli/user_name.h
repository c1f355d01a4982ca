// Who uses the command, for what is put on record.

#ifndef DAYBOOK_CLI_USER_NAME_H_
#define DAYBOOK_CLI_USER_NAME_H_

#include <pwd.h>
#include <unistd.h>

#include <string>

namespace daybook::cli {

inline std::string UserName() {
  const passwd* const user = getpwuid(geteuid());
  return user != nullptr ? user->pw_name : "uid " + std::to_string(geteuid());
}

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_USER_NAME_H_
