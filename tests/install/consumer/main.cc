// Appends an event to a store and reads it back, with nothing but what was installed.

#include <daybook/store.h>

#include <cstdio>
#include <string>

int main(int argc, char** argv) {
  if (argc != 2) return 1;
  auto store = daybook::Store::Open(argv[1], {});
  if (!store.ok()) {
    std::fprintf(stderr, "%s\n", store.status().ToString().c_str());
    return 2;
  }
  daybook::NewEvent event;
  event.type = "Deposited";
  event.data = daybook::AsBytes(R"({"cents":500})");
  auto appended =
      (*store)->Append("account-42", daybook::ExpectedVersion::NoStream(), {std::move(event)});
  if (!appended.ok()) {
    std::fprintf(stderr, "%s\n", appended.status().ToString().c_str());
    return 3;
  }

  daybook::ReadOptions options;
  options.stream = "account-42";
  auto cursor = (*store)->Read(options);
  if (!cursor.ok()) return 4;
  auto read = cursor->Next();
  if (!read.ok() || *read == nullptr) return 5;
  const daybook::EventView& view = **read;
  std::printf("%s %s %s\n", std::string(view.stream).c_str(), std::string(view.type).c_str(),
              std::string(daybook::AsText(view.data)).c_str());
  return daybook::AsText(view.data) == R"({"cents":500})" ? 0 : 6;
}
