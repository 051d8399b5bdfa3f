// Stories of plain HTTP by seed: pipelines of requests that are answered at once, later, in pieces
// or never, in fair and foul weather. WEIR_SIM_SEED=n tells the story of one seed again,
// WEIR_SIM_RUNS=n those of the first n.
#include "http_story.hpp"
#include "story.hpp"

#include <gtest/gtest.h>

namespace
{

const sim::http_flavour flavours[] = {
    {.name = "calm"},
    {.name = "faulty", .faults = true},
    {.name = "broken_off", .faults = true, .breaks = true},
    {.name = "starved", .faults = true, .breaks = true, .starved = true},
    {.name = "slow", .faults = true, .slow = true},
    {.name = "late", .faults = true, .breaks = true, .slow = true, .deadlines = true},
    {.name = "lossy", .faults = true, .breaks = true, .slow = true, .lossy = true},
    {.name = "drip", .faults = true, .breaks = true, .drips = true},
    {.name = "secure", .faults = true, .slow = true, .secure = true},
    {.name = "secure_foul",
     .faults = true,
     .breaks = true,
     .slow = true,
     .deadlines = true,
     .secure = true},
};

using tally = std::map<std::string, size_t>;

void tell(uint64_t seed, const sim::http_flavour &f, tally &seen)
{
  sim::tell_http(seed, f, 0, [&](const sim::http_world &w) {
    EXPECT_TRUE(w.failures.empty()) << w.report();
    for (auto &[what, count] : w.seen)
      seen[std::string(what)] += count;
  });
}

// What the flavour is about has happened.
void expect_all_kinds(const tally &seen, const sim::http_flavour &f)
{
  std::vector<std::string> due = {"answered at once",
                                  "answered inside",
                                  "answered later",
                                  "answered by another",
                                  "streamed",
                                  "unframed",
                                  "answered early",
                                  "body in pieces",
                                  "continued",
                                  "upgraded",
                                  "too late: stale",
                                  "too late: already",
                                  "drained",
                                  "gone",
                                  "idle",
                                  "Service Unavailable"};
  if (f.breaks && !f.deadlines)
    due.insert(due.end(), {"Bad Request", "Not Found", "Method Not Allowed", "Content Too Large",
                           "Expectation Failed", "Internal Server Error", "gone amid a stream"});
  if (f.breaks && !f.deadlines && !f.drips) // a drip leaves a moment for it in few stories
    due.push_back("upgrade gone");
  if (f.slow)
    due.push_back("piece refused");
  if (f.deadlines)
    due.push_back("Request Timeout");
  if (!f.drips && !f.secure)
    due.push_back("held back");
  for (const std::string &what : due)
    EXPECT_GE(seen.contains(what) ? seen.at(what) : 0, f.lossy && what == "idle" ? 0 : 1) << what;
}

class http_stories : public testing::TestWithParam<sim::http_flavour>
{
};

TEST_P(http_stories, end_well)
{
  auto [first, count] = sim::seeds_to_run(GetParam().secure ? 100 : 250);
  tally seen;
  for (uint64_t seed = first; seed < first + count && !HasFailure(); ++seed)
    tell(seed, GetParam(), seen);
  for (auto &[what, times] : seen)
    RecordProperty(what, static_cast<int>(times));
  if (count >= 100 && !HasFailure())
    expect_all_kinds(seen, GetParam());
}

INSTANTIATE_TEST_SUITE_P(flavours, http_stories, testing::ValuesIn(flavours),
                         [](const auto &info) { return std::string(info.param.name); });

// A seed is a run for ever: the same events at the same times.
TEST(http_story, is_told_alike_again)
{
  sim::http_flavour f{
      .name = "all", .faults = true, .breaks = true, .slow = true, .deadlines = true};
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    std::string first;
    sim::tell_http(seed, f, 0, [&](const sim::http_world &w) { first = w.k.trace(); });
    sim::tell_http(seed, f, 0, [&](const sim::http_world &w) { EXPECT_EQ(w.k.trace(), first); });
  }
}

// Fail the Nth allocation, for every N, until none fails.
TEST(http_story, ends_well_whichever_allocation_fails)
{
  sim::http_flavour f{.name = "shortage", .breaks = true, .slow = true, .lossy = true};
  for (uint64_t seed : {1, 5, 6}) {
    uint64_t n = 0;
    for (bool reached = true; reached && !HasFailure();)
      sim::tell_http(seed, f, ++n, [&](const sim::http_world &w) {
        EXPECT_TRUE(w.failures.empty()) << "allocation " << n << "\n" << w.report();
        reached = w.k.allocs >= n;
      });
    EXPECT_GT(n, 50u);
    RecordProperty("allocations of " + std::to_string(seed), static_cast<int>(n));
  }
}

} // namespace
