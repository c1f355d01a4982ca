#include "compare/results.h"

#include <cstdio>

namespace daybook::bench {
namespace {

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out + '"';
}

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", value);
  return text;
}

std::string List(const std::vector<double>& values) {
  std::string out = "[";
  for (const double value : values) out += (out.size() > 1 ? ", " : "") + Number(value);
  return out + "]";
}

std::string SpreadJson(const Spread& spread) {
  return "{\"median\": " + Number(spread.median) + ", \"min\": " + Number(spread.min) +
         ", \"max\": " + Number(spread.max) + "}";
}

std::string ContestantJson(const WorkloadResult::Rates& rates) {
  return "{\"name\": " + Quoted(rates.name) + ", \"rates\": " + List(rates.rates) +
         ", \"rate\": " + SpreadJson(SpreadOf(rates.rates)) + "}";
}

std::string VerdictJson(const Verdict& verdict) {
  const char* word = verdict.met() ? "met" : verdict.half_met() ? "half" : "missed";
  return "{\"subject\": " + Quoted(verdict.comparison.subject) +
         ", \"rival\": " + Quoted(verdict.comparison.rival) +
         ", \"bar\": " + Number(verdict.comparison.bar) + ", \"ratios\": " + List(verdict.ratios) +
         ", \"ratio\": " + SpreadJson(verdict.ratio) + ", \"verdict\": " + Quoted(word) + "}";
}

template <class Item, class Render>
std::string Lines(const std::vector<Item>& items, const char* indent, const Render& render) {
  std::string out;
  for (const Item& item : items) out += (out.empty() ? "\n" : ",\n") + (indent + render(item));
  return out;
}

std::string WorkloadJson(const WorkloadResult& result) {
  return "{\n     \"id\": " + Quoted(result.id) + ", \"title\": " + Quoted(result.title) +
         ",\n     \"unit\": " + Quoted(result.unit) +
         ",\n     \"durability\": " + Quoted(result.durability) +
         ",\n     \"data\": " + Quoted(result.data) + ",\n     \"contestants\": [" +
         Lines(result.contestants, "       ", ContestantJson) + "],\n     \"comparisons\": [" +
         Lines(result.verdicts, "       ", VerdictJson) + "]}";
}

}  // namespace

std::string ToJson(const RunOptions& options, const MachineFacts& machine,
                   const std::vector<WorkloadResult>& results) {
  return "{\n  \"schema\": 1,\n  \"pairs\": " + std::to_string(options.pairs) +
         ",\n  \"scale\": " + Number(options.scale) + ",\n  \"machine\": {" +
         Lines(machine, "    ",
               [](const auto& fact) { return Quoted(fact.first) + ": " + Quoted(fact.second); }) +
         "},\n  \"workloads\": [" + Lines(results, "    ", WorkloadJson) + "]\n}\n";
}

std::string ToText(const std::vector<WorkloadResult>& results) {
  std::string out;
  for (const WorkloadResult& result : results) {
    for (const Verdict& verdict : result.verdicts) {
      const std::string rival =
          verdict.comparison.rival.empty() ? "a second" : "x " + verdict.comparison.rival;
      char line[256];
      std::snprintf(line, sizeof(line), "%-3s %-22s %10.4g [%.4g..%.4g] %s, bar %.4g: %s\n",
                    result.id.c_str(), verdict.comparison.subject.c_str(), verdict.ratio.median,
                    verdict.ratio.min, verdict.ratio.max, rival.c_str(), verdict.comparison.bar,
                    verdict.met()        ? "met"
                    : verdict.half_met() ? "half"
                                         : "missed");
      out += line;
    }
  }
  return out;
}

}  // namespace daybook::bench
