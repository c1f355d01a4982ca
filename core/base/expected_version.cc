#include <string>

#include "daybook/append.h"

namespace daybook {

std::string ExpectedVersion::ToString() const {
  switch (kind_) {
    case Kind::kAny:
      return "any";
    case Kind::kNoStream:
      return "none";
    case Kind::kStreamExists:
      return "exists";
    case Kind::kExactly:
      break;
  }
  return std::to_string(version_.value());
}

}  // namespace daybook
