#include "compare/sums.h"

namespace daybook::bench {

Projection SumByStream(std::string_view name) {
  Projection projection;
  projection.name = name;
  projection.tables = {kSums.name()};
  projection.rows_by_key = true;
  projection.handler = [](const EventView& event, HandlerContext& context) {
    return kSums.Update(context, std::string(event.stream),
                        [&](std::uint64_t& sum) { sum += AmountOf(AsText(event.data)); });
  };
  return projection;
}

}  // namespace daybook::bench
