// What the bench tool shows while it runs and writes at the end, from results made up here.
#include "weir-bench/live.h"
#include "weir-bench/reports.h"
#include "weir-bench/words.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace
{

TEST(BenchWords, Count)
{
  const std::pair<uint64_t, const char *> cases[] = {{0, "0"},
                                                     {999, "999"},
                                                     {1000, "1,000"},
                                                     {123456, "123,456"},
                                                     {1234567, "1,234,567"},
                                                     {UINT64_MAX, "18,446,744,073,709,551,615"}};
  for (const auto &[value, expected] : cases)
    EXPECT_STREQ(word_count(value).text, expected);
}

TEST(BenchWords, Number)
{
  const std::pair<double, const char *> cases[] = {
      {0, "0"},       {7, "7"},          {0.25, "0.25"},  {12.34, "12.3"},
      {99.96, "100"}, {1234.5, "1,235"}, {-0.5, "-0.50"}, {-4321, "-4,321"}};
  for (const auto &[value, expected] : cases)
    EXPECT_STREQ(word_number(value).text, expected);
}

TEST(BenchWords, TimeAndBytes)
{
  const std::pair<double, const char *> times[] = {
      {0, "0 ns"},         {850, "850 ns"},      {999, "999 ns"},   {1000, "1.00 us"},
      {9994, "9.99 us"},   {9996, "10.0 us"},    {99960, "100 us"}, {999400, "999 us"},
      {999600, "1.00 ms"}, {1.234e7, "12.3 ms"}, {3e9, "3.00 s"},   {5e12, "5000 s"}};
  for (const auto &[value, expected] : times)
    EXPECT_STREQ(word_time(value).text, expected) << value;
  EXPECT_STREQ(word_bytes(64).text, "64 B");
  EXPECT_STREQ(word_bytes(1048576).text, "1.05 MB");
  EXPECT_STREQ(word_bytes(-2048).text, "-2.05 kB");
}

// A result with something in every field, which its maker may change.
class Made
{
public:
  Made() : latency(histogram_new(), histogram_free)
  {
    settings.mode = &modes[0];
    settings.url = "ws://h:80/a?b=\"c\",d\\e";
    settings.connections = 100;
    settings.in_flight = 2;
    settings.size = 64;
    settings.fragments = settings.threads = settings.addresses = 1;
    settings.seconds = 2;
    strcpy(settings.side_path, "/");
    settings.cpus = "0";
    settings.bound_us = 5000;
    settings.server_pid = 4711;
    result.settings = &settings;
    result.seconds = 2;
    result.counts.operations = 1000;
    result.counts.messages_sent = 1001;
    result.counts.bytes_sent = 70000;
    result.latency = latency.get();
    for (uint64_t us = 1; us <= 1000; us++)
      histogram_add(latency.get(), us * 1000);
    result.server = {.known = true,
                     .cpu_ns = 4'000'000,
                     .voluntary_switches = 90,
                     .involuntary_switches = 10,
                     .rss_before_bytes = 1'000'000,
                     .rss_after_bytes = 1'020'000,
                     .rss_peak_bytes = 1'030'000,
                     .threads = 3};
    result.generator_cpu_ns = 1'000'000'000;
    result.held = 100;
  }

  void add_reason(const char *text, uint64_t count)
  {
    reason &added = result.reasons[result.reason_count++];
    snprintf(added.text, sizeof added.text, "%s", text);
    added.count = count;
  }

  struct settings settings = {};
  struct result result = {};
  std::unique_ptr<histogram, decltype(&histogram_free)> latency;
};

std::string written(const std::function<void(FILE *)> &write)
{
  char *text = nullptr;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  write(out);
  fclose(out);
  std::string all(text, size);
  free(text);
  return all;
}

std::string table(const Made &made)
{
  return written([&](FILE *out) { table_write(out, &made.result); });
}

bool holds(const std::string &text, const std::string &part)
{
  return text.find(part) != std::string::npos;
}

TEST(BenchFigures, FollowFromTheResult)
{
  Made made;
  const figures found = figures_of(&made.result);
  EXPECT_EQ(found.per_second, 500);
  EXPECT_EQ(found.cpu_ns_per_operation, 4000);
  EXPECT_EQ(found.switches_per_operation, 0.1);
  EXPECT_EQ(found.server_share, 0.002);
  EXPECT_EQ(found.rss_per_connection_bytes, 200);
  EXPECT_EQ(found.generator_share, 0.5);
  EXPECT_EQ(found.generator_cores, 1u);
}

TEST(BenchFigures, CountNoMoreCoresThanThereAreThreadsAndCpus)
{
  Made made;
  made.settings.cpus = "0-3";
  made.settings.threads = 2;
  EXPECT_EQ(figures_of(&made.result).generator_cores, 2u);
  made.settings.cpus = "0,1";
  made.settings.threads = 8;
  EXPECT_EQ(figures_of(&made.result).generator_cores, 2u);
}

TEST(BenchFigures, AreZeroOfNothing)
{
  Made made;
  made.result = {};
  made.result.settings = &made.settings;
  const figures found = figures_of(&made.result);
  for (double figure : {found.per_second, found.cpu_ns_per_operation, found.switches_per_operation,
                        found.server_share, found.rss_per_connection_bytes, found.generator_share})
    EXPECT_EQ(figure, 0);
}

TEST(BenchTable, FitsATerminal)
{
  Made made;
  made.result.counts.messages_sent = 123'456'789'012;
  made.result.counts.bytes_sent = 123'456'789'012'345;
  std::istringstream lines(table(made));
  for (std::string line; std::getline(lines, line);)
    EXPECT_LE(line.size(), 100u) << line;
}

TEST(BenchTable, TellsOfTlsAndCompression)
{
  Made made;
  for (const char *absent : {"TLS", "permessage-deflate", "compressed", "resumed", "verified"})
    EXPECT_FALSE(holds(table(made), absent)) << absent;
  snprintf(made.result.tls, sizeof made.result.tls, "TLSv1.2 ECDHE-ECDSA-CHACHA20-POLY1305");
  snprintf(made.result.compression, sizeof made.result.compression,
           "server 15 bits no takeover, client 15 bits no takeover");
  made.settings.resume = true;
  made.result.counts.compressed = 7;
  made.result.counts.resumed = 3;
  made.result.counts.opened = 9;
  const std::string text = table(made);
  EXPECT_TRUE(holds(text, "  TLSv1.2 ECDHE-ECDSA-CHACHA20-POLY1305; the server's certificate was "
                          "not verified\n"));
  EXPECT_TRUE(holds(text, "  permessage-deflate: server 15 bits no takeover, client"));
  EXPECT_TRUE(holds(text, "  compressed                 7  of those received\n"));
  EXPECT_TRUE(holds(text, "  resumed                    3  of 9 connections\n"));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    EXPECT_LE(line.size(), 100u) << line;
  made.settings.ca = "a.pem";
  EXPECT_FALSE(holds(table(made), "not verified"));
}

TEST(BenchTable, SaysWhatWentWrong)
{
  Made made;
  EXPECT_TRUE(holds(table(made), "  errors "));
  made.result.counts.wrong = 3;
  made.add_reason("byte 17 is 0x41", 3);
  EXPECT_TRUE(holds(table(made), "  ERRORS                     3  wrong, 0 lost, 0 failed"));
  EXPECT_TRUE(holds(table(made), "  3  byte 17 is 0x41\n"));
}

TEST(BenchTable, KeepsAServersWordsOffTheTerminal)
{
  Made made;
  made.add_reason("HTTP/1.1 \x1b[2J\r\xc3", 1);
  EXPECT_TRUE(holds(table(made), "HTTP/1.1 ?[2J??\n"));
}

TEST(BenchTable, WarnsOfABusyGenerator)
{
  Made made;
  made.result.generator_cpu_ns = 1'800'000'000;
  EXPECT_FALSE(holds(table(made), "WARNING"));
  made.result.generator_cpu_ns = 1'800'000'001;
  EXPECT_TRUE(holds(table(made), "WARNING"));
}

TEST(BenchTable, TellsOfAServerThatEnded)
{
  Made made;
  made.result.server.known = false;
  EXPECT_TRUE(holds(table(made), "process 4711 ended before the run did"));
  made.settings.server_pid = 0;
  EXPECT_FALSE(holds(table(made), "process"));
}

TEST(BenchTable, ListsSteps)
{
  Made made;
  const step steps[] = {{1000, 999, 40, 90, 0}, {2000, 1500, 50, 12000, 5120}};
  made.result.steps = steps;
  made.result.step_count = 2;
  EXPECT_TRUE(holds(table(made), "none: p99 was never below 5.00 ms"));
  made.result.knee = 999;
  EXPECT_TRUE(holds(table(made), "999/s  the most with p99 below 5.00 ms"));
  EXPECT_TRUE(holds(table(made), "12.0 ms     5.12 us\n"));
}

// What Python says of an expression of the JSON, which it calls r.
std::string asked(const Made &made, const std::string &expression)
{
  char path[] = "/tmp/bench_reports_XXXXXX";
  FILE *file = fdopen(mkstemp(path), "w");
  json_write(file, &made.result, 1'000'000'000);
  fclose(file);
  const std::string command =
      std::string("/usr/bin/python3 -c 'import json; r = json.load(open(\"") + path +
      "\")); print((" + expression + "))' 2>&1";
  FILE *python = popen(command.c_str(), "r");
  std::string said;
  for (int c; (c = fgetc(python)) != EOF;)
    said += char(c);
  EXPECT_EQ(pclose(python), 0) << said;
  unlink(path);
  return said.substr(0, said.find_last_not_of('\n') + 1);
}

TEST(BenchJson, IsReadByPython)
{
  Made made;
  made.add_reason("\"quoted\" \\ \x01\n\xc3 /", 2);
  made.settings.rate = INFINITY;
  EXPECT_EQ(asked(made, "r[\"tool\"], r[\"mode\"], r[\"url\"], r[\"date\"]"),
            R"(('weir-bench', 'closed', 'ws://h:80/a?b="c",d\\e', '2001-09-09T01:46:40Z'))");
  EXPECT_EQ(asked(made, "ascii(r[\"reasons\"])"),
            R"([{'text': '"quoted" \\ \x01\n\ufffd /', 'count': 2}])");
  EXPECT_EQ(asked(made, "r[\"settings\"][\"cpus\"], r[\"settings\"][\"rate\"]"), "('0', None)");
  EXPECT_EQ(asked(made, "r[\"counts\"][\"operations\"], r[\"per_second\"], r[\"held\"]"),
            "(1000, 500, 100)");
  EXPECT_EQ(asked(made, "r[\"server\"][\"cpu_ns_per_operation\"], r[\"generator\"][\"cpu_share\"]"),
            "(4000, 0.5)");
  EXPECT_EQ(asked(made, "[r[\"latency_us\"][p] for p in (\"min\", \"max\")]"), "[1, 1000]");
}

TEST(BenchJson, TellsOfTlsAndCompression)
{
  Made made;
  EXPECT_EQ(asked(made, "r[\"tls\"], r[\"compression\"], r[\"settings\"][\"ca\"]"),
            "(None, None, None)");
  snprintf(made.result.tls, sizeof made.result.tls, "TLSv1.3 X");
  snprintf(made.result.compression, sizeof made.result.compression, "server 9 bits");
  made.settings.compress = made.settings.resume = true;
  made.settings.tls_version = 13;
  made.settings.ca = "a.pem";
  made.result.counts.compressed = 7;
  made.result.counts.resumed = 3;
  EXPECT_EQ(asked(made, "r[\"tls\"], r[\"compression\"], r[\"counts\"][\"compressed\"], "
                        "r[\"counts\"][\"resumed\"]"),
            "('TLSv1.3 X', 'server 9 bits', 7, 3)");
  EXPECT_EQ(asked(made, "[r[\"settings\"][k] for k in (\"compress\", \"no_takeover\", "
                        "\"tls_version\", \"ca\", \"resume\")]"),
            "[1, 0, 13, 'a.pem', 1]");
}

TEST(BenchJson, KeepsTheSpectrumWithinItsValues)
{
  Made made;
  EXPECT_EQ(asked(made, "r[\"spectrum\"][:3]"), "[[0, 1], [10, 100.351], [20, 200.703]]");
  EXPECT_EQ(asked(made, "r[\"spectrum\"][-1]"), "[100, 1000]");
  EXPECT_EQ(asked(made, "r[\"spectrum\"] == sorted(r[\"spectrum\"])"), "True");
  EXPECT_EQ(asked(made, "99.8 < r[\"spectrum\"][-2][0] <= 99.9"), "True");
}

TEST(BenchJson, IsWholeWithoutAnything)
{
  Made made;
  histogram_reset(made.latency.get());
  made.result.server.known = false;
  made.settings.cpus = nullptr;
  EXPECT_EQ(asked(made, "r[\"spectrum\"], r[\"server\"], r[\"steps\"], r[\"reasons\"]"),
            "([], None, [], [])");
  EXPECT_EQ(asked(made, "r[\"latency_us\"][\"p99\"], r[\"settings\"][\"cpus\"]"), "(0, None)");
}

// A file name of its own, gone at the end.
class Path
{
public:
  Path()
  {
    close(mkstemp(name));
    unlink(name);
  }
  ~Path()
  {
    unlink(name);
  }

  std::vector<std::string> lines() const
  {
    std::vector<std::string> all;
    FILE *file = fopen(name, "r");
    char line[2000];
    while (fgets(line, sizeof line, file) != nullptr)
      all.emplace_back(line);
    fclose(file);
    return all;
  }

  char name[32] = "/tmp/bench_csv_XXXXXX";
};

TEST(BenchCsv, AppendsRowsUnderOneRowOfNames)
{
  Made made;
  Path path;
  for (int i = 0; i < 2; i++) {
    const char *wrong = nullptr;
    FILE *file = csv_open(path.name, &wrong);
    ASSERT_NE(file, nullptr) << wrong;
    csv_write(file, &made.result, 1'000'000'000 + i);
    fclose(file);
  }
  const std::vector<std::string> lines = path.lines();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].find("date,version,url,mode,connections,"), 0u);
  EXPECT_EQ(lines[1].find("2001-09-09T01:46:40Z,"), 0u);
  EXPECT_EQ(lines[2].find("2001-09-09T01:46:41Z,"), 0u);
  EXPECT_TRUE(holds(lines[1], R"(,"ws://h:80/a?b=""c"",d\e",closed,100,)")) << lines[1];
}

TEST(BenchCsv, LeavesEmptyWhatIsNotKnown)
{
  Made made;
  made.result.server.known = false;
  Path path;
  const char *wrong = nullptr;
  FILE *file = csv_open(path.name, &wrong);
  csv_write(file, &made.result, 0);
  fclose(file);
  EXPECT_TRUE(holds(path.lines()[1], ",,,,,,,,0.5\n")) << path.lines()[1];
}

TEST(BenchCsv, RefusesFilesOfOthers)
{
  Path path;
  FILE *other = fopen(path.name, "w");
  fputs("name,age\n", other);
  fclose(other);
  const char *wrong = nullptr;
  EXPECT_EQ(csv_open(path.name, &wrong), nullptr);
  EXPECT_STREQ(wrong, "its first row names other columns than this version writes");
  EXPECT_EQ(path.lines().size(), 1u);
  EXPECT_EQ(csv_open("/nowhere/at/all", &wrong), nullptr);
  EXPECT_STREQ(wrong, "No such file or directory");
}

// The line at one moment of a run, and the next.
class Line
{
public:
  Line()
  {
    display.settings = &made.settings;
    made.settings.warmup_s = 1;
    live.open = 100;
  }

  std::string at(enum phase phase, double seconds, uint64_t operations, size_t width = 200)
  {
    std::vector<char> text(width + 1, '?');
    live.phase = phase;
    live.seconds = seconds;
    live.counts.operations = operations;
    live_text(&display, &live, text.data(), width);
    return text.data();
  }

  Made made;
  struct display display = {};
  struct live live = {};
};

TEST(BenchLive, ShowsConnecting)
{
  Line line;
  line.made.settings.connections = 10000;
  line.live.open = 3200;
  EXPECT_EQ(line.at(PHASE_CONNECTING, 1, 0),
            "connecting  [######..............]  32%  3,200/10,000");
}

TEST(BenchLive, ShowsWork)
{
  Line line;
  line.live.latency = line.made.latency.get();
  EXPECT_EQ(line.at(PHASE_WARMUP, 0.5, 1000),
            "warming up  [##########..........]  50%  2,000 answers/s  p50 502 us  p99 991 us");
  line.live.rate = 4000;
  EXPECT_EQ(line.at(PHASE_MEASURING, 0.5, 1500),
            "measuring   [#####...............]  25%  3,000 of 4,000 answers/s  p50 502 us  "
            "p99 991 us");
  EXPECT_EQ(line.at(PHASE_DRAINING, 0.1, 1500), "draining  ");
}

TEST(BenchLive, ShowsTheRateOfTheLastSecond)
{
  Line line;
  line.made.settings.seconds = 10;
  EXPECT_TRUE(holds(line.at(PHASE_MEASURING, 1, 1000), " 1,000 answers/s"));
  EXPECT_TRUE(holds(line.at(PHASE_MEASURING, 1.5, 9000), " 1,000 answers/s"));
  EXPECT_TRUE(holds(line.at(PHASE_MEASURING, 2, 9000), " 8,000 answers/s"));
  EXPECT_TRUE(holds(line.at(PHASE_MEASURING, 4, 9000), " 0 answers/s"));
}

TEST(BenchLive, ShowsWhatIsOpenWhereNothingIsSent)
{
  Line line;
  line.made.settings.mode = mode_find("idle");
  EXPECT_EQ(line.at(PHASE_MEASURING, 1, 0), "measuring   [##########..........]  50%  100 open");
}

TEST(BenchLive, BeginsAnewWithEachStep)
{
  Line line;
  EXPECT_TRUE(holds(line.at(PHASE_MEASURING, 1, 1000), " 1,000 answers/s"));
  EXPECT_TRUE(holds(line.at(PHASE_MEASURING, 0.5, 100), " 200 answers/s"));
}

TEST(BenchLive, PutsErrorsFirstAndIsCut)
{
  Line line;
  line.live.counts.wrong = 1;
  line.live.counts.lost = 2;
  line.live.counts.failed = 3000;
  EXPECT_EQ(line.at(PHASE_MEASURING, 2, 10, 50),
            "measuring   [#####] 100%  WRONG 1  LOST 2  FAILED ");
  EXPECT_EQ(line.at(PHASE_MEASURING, 2, 10, 1), "m");
}

} // namespace
