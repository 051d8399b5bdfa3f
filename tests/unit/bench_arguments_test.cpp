// The bench tool's command line and its URLs, as tables.
#include "weir-bench/arguments.h"
#include "weir-bench/modes.h"
#include "weir-bench/url.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

namespace
{

// The words of a line, as argv.
class Line
{
public:
  explicit Line(const std::string &line) : text_("weir-bench " + line)
  {
    std::istringstream in(text_);
    for (std::string word; in >> word;)
      words_.push_back(word);
    for (std::string &word : words_)
      argv_.push_back(word.data());
    argv_.push_back(nullptr);
  }

  asked read()
  {
    return arguments_read(&settings, int(words_.size()), argv_.data(), sentence, sizeof sentence);
  }

  struct settings settings;
  char sentence[300] = "";

private:
  std::string text_;
  std::vector<std::string> words_;
  std::vector<char *> argv_;
};

TEST(BenchArguments, HaveDefaults)
{
  Line line("ws://h/");
  ASSERT_EQ(line.read(), ASKED_RUN) << line.sentence;
  const struct settings &s = line.settings;
  EXPECT_STREQ(s.mode->name, "closed");
  EXPECT_EQ(s.connections, 100u);
  EXPECT_EQ(s.in_flight, 1u);
  EXPECT_FALSE(s.apart);
  EXPECT_EQ(s.size, 64u);
  EXPECT_EQ(s.kind, KIND_BINARY);
  EXPECT_EQ(s.fragments, 1u);
  EXPECT_EQ(s.rate, 0);
  EXPECT_EQ(s.warmup_s, 1);
  EXPECT_EQ(s.seconds, 5);
  EXPECT_EQ(s.addresses, 1u);
  EXPECT_EQ(s.threads, 1u);
  EXPECT_STREQ(s.side_path, "/");
  EXPECT_EQ(s.server_pid, 0);
  EXPECT_EQ(s.cpus, nullptr);
  EXPECT_EQ(s.json, nullptr);
  EXPECT_EQ(s.csv, nullptr);
  EXPECT_FALSE(s.quiet);
}

TEST(BenchArguments, SetWhatTheySay)
{
  Line line("rate --connections 7 --size 2K --cjk --fragments=3 --rate 1500.5 --warmup .5 "
            "--seconds 0.25 --addresses 2 --threads 4 --cpus 0-1 --spin-us 50 --server-pid 12 "
            "--json - --csv a=b.csv --quiet ws://h:81/x");
  ASSERT_EQ(line.read(), ASKED_RUN) << line.sentence;
  const struct settings &s = line.settings;
  EXPECT_STREQ(s.mode->name, "rate");
  EXPECT_EQ(s.connections, 7u);
  EXPECT_EQ(s.size, 2048u);
  EXPECT_EQ(s.kind, KIND_CJK);
  EXPECT_EQ(s.fragments, 3u);
  EXPECT_EQ(s.rate, 1500.5);
  EXPECT_EQ(s.warmup_s, 0.5);
  EXPECT_EQ(s.seconds, 0.25);
  EXPECT_EQ(s.addresses, 2u);
  EXPECT_EQ(s.threads, 4u);
  EXPECT_STREQ(s.cpus, "0-1");
  EXPECT_EQ(s.spin_us, 50u);
  EXPECT_EQ(s.server_pid, 12);
  EXPECT_STREQ(s.json, "-");
  EXPECT_STREQ(s.csv, "a=b.csv");
  EXPECT_TRUE(s.quiet);
  EXPECT_STREQ(s.url, "ws://h:81/x");
  EXPECT_EQ(s.port, 81);
}

TEST(BenchArguments, SetTlsAndCompression)
{
  Line plain("ws://h");
  ASSERT_EQ(plain.read(), ASKED_RUN) << plain.sentence;
  EXPECT_FALSE(plain.settings.secure || plain.settings.resume || plain.settings.compress ||
               plain.settings.no_takeover);
  EXPECT_EQ(plain.settings.tls_version, 0u);
  EXPECT_EQ(plain.settings.ca, nullptr);
  Line line("storm --ca a.pem --tls-version 12 --resume --compress --no-takeover wss://h");
  ASSERT_EQ(line.read(), ASKED_RUN) << line.sentence;
  const struct settings &s = line.settings;
  EXPECT_TRUE(s.secure && s.resume && s.compress && s.no_takeover);
  EXPECT_EQ(s.tls_version, 12u);
  EXPECT_STREQ(s.ca, "a.pem");
  EXPECT_EQ(s.port, 443);
  Line json("--json-payload --json - wss://h:1/");
  ASSERT_EQ(json.read(), ASKED_RUN) << json.sentence;
  EXPECT_EQ(json.settings.kind, KIND_JSON);
  EXPECT_STREQ(json.settings.json, "-");
}

TEST(BenchArguments, TakeMoreConnectionsThanPortsOverAUnixSocket)
{
  Line line("idle --connections 100000 wss+unix:/s:/x --tls-version 13");
  ASSERT_EQ(line.read(), ASKED_RUN) << line.sentence;
  EXPECT_STREQ(line.settings.socket, "/s");
  EXPECT_TRUE(line.settings.secure);
}

TEST(BenchArguments, ReadSizes)
{
  const std::pair<const char *, size_t> cases[] = {
      {"0", 0},       {"1", 1},        {"64", 64},        {"1K", 1024},
      {"16K", 16384}, {"1M", 1048576}, {"1G", 1073741824}};
  for (const auto &[text, expected] : cases) {
    Line line("ws://h --size " + std::string(text));
    ASSERT_EQ(line.read(), ASKED_RUN) << line.sentence;
    EXPECT_EQ(line.settings.size, expected) << text;
  }
}

TEST(BenchArguments, TakeAnyModeByItsName)
{
  for (const struct mode *mode = modes; mode->name != nullptr; mode++) {
    const std::string rate = mode->uses & MODE_NEEDS_RATE ? " --rate 10" : "";
    Line line(std::string(mode->name) + rate + " ws://h");
    ASSERT_EQ(line.read(), ASKED_RUN) << mode->name << ": " << line.sentence;
    EXPECT_EQ(line.settings.mode, mode);
  }
}

TEST(BenchArguments, AskForHelpAndVersionBeforeAnythingElse)
{
  EXPECT_EQ(Line("--help").read(), ASKED_HELP);
  EXPECT_EQ(Line("rate --version").read(), ASKED_VERSION);
  EXPECT_EQ(Line("--help --size x").read(), ASKED_HELP);
  EXPECT_EQ(Line("--size x --help").read(), ASKED_WRONG);
}

struct Wrong {
  const char *line, *sentence;
};

const Wrong wrongs[] = {
    {"", "a URL is missing: weir-bench [MODE] [options] ws://host:port/path"},
    {"closed", "a URL is missing: weir-bench [MODE] [options] ws://host:port/path"},
    {"ws://a ws://b", "there are two URLs, ws://a and ws://b: take one"},
    {"rate closed ws://a", "there are two modes, rate and closed: take one"},
    {"--speed 3", "there is no option --speed"},
    {"--", "there is no option --"},
    {"-c 3", "there is no option -c: options begin with --"},
    {"--size", "a value is missing: --size BYTES (of a message: 64, 1K, 1M)"},
    {"--size --text", "a value is missing: --size BYTES (of a message: 64, 1K, 1M)"},
    {"--size=", "a value is missing: --size BYTES (of a message: 64, 1K, 1M)"},
    {"--text=3", "--text takes no value"},
    {"--size 1 --size 2", "--size is given twice"},
    {"--size 2G", "--size takes bytes from 0 to 1G, such as 64, 1K or 1M, not '2G'"},
    {"--size 1k", "--size takes bytes from 0 to 1G, such as 64, 1K or 1M, not '1k'"},
    {"--size 1KB", "--size takes bytes from 0 to 1G, such as 64, 1K or 1M, not '1KB'"},
    {"--size -1", "--size takes bytes from 0 to 1G, such as 64, 1K or 1M, not '-1'"},
    {"--connections 0", "--connections takes a whole number from 1 to 1000000, not '0'"},
    {"--connections 1.5", "--connections takes a whole number from 1 to 1000000, not '1.5'"},
    {"--connections 1K", "--connections takes a whole number from 1 to 1000000, not '1K'"},
    {"--connections abc", "--connections takes a whole number from 1 to 1000000, not 'abc'"},
    {"--seconds 0", "--seconds takes a number from 0.01 to 86400, not '0'"},
    {"--seconds 1e3", "--seconds takes a number from 0.01 to 86400, not '1e3'"},
    {"--seconds 1.2.3", "--seconds takes a number from 0.01 to 86400, not '1.2.3'"},
    {"--seconds .", "--seconds takes a number from 0.01 to 86400, not '.'"},
    {"--warmup nan", "--warmup takes a number from 0 to 3600, not 'nan'"},
    {"--warmup inf", "--warmup takes a number from 0 to 3600, not 'inf'"},
    {"--server-pid 0", "--server-pid takes a process's number from 1 to 4194304, not '0'"},
    {"--cpus 0-", "--cpus takes a list such as 1 or 0,2-3, not '0-'"},
    {"--side-path x", "--side-path takes a path such as /echo, not 'x'"},
    {"rate ws://h", "mode rate needs a --rate"},
    {"ws://h --lifetime 1", "--lifetime is not for mode closed, but for churn"},
    {"ws://h --stall 1", "--stall is not for mode closed, but for slow"},
    {"ws://h --cjk --size 2", "--cjk needs a --size of 3 or more: a character has three bytes"},
    {"ws://h --fragments 65", "64 bytes cannot be cut into 65 --fragments"},
    {"ws://h --text --cjk", "take one of --binary, --text, --cjk and --json-payload"},
    {"ws://h --json-payload --size 1", "--json-payload needs a --size of 2 or more"},
    {"ws://h --compress --size 17M", "--json-payload and --compress take a --size of up to 16M"},
    {"ws://h --json-payload --size 17M",
     "--json-payload and --compress take a --size of up to 16M"},
    {"ws://h --no-takeover", "--no-takeover is for --compress"},
    {"ws://h --ca x.pem", "--ca is for wss://"},
    {"ws://h --tls-version 13", "--tls-version is for wss://"},
    {"ws://h --resume", "--resume is for wss://"},
    {"wss://h --tls-version 11", "--tls-version takes a whole number from 12 to 13, not '11'"},
    {"ws://h --threads 101", "101 --threads need as many --connections, not 100"},
    {"ws://h --connections 28001",
     "28001 connections need --addresses 2: each has some 28,000 ports"},
    {"ws+unix:/s --addresses 2", "--addresses is for TCP: a unix socket has none"},
    {"ws+unix:/s --resume", "--resume is for wss://"},
    {"ws://h --json - --csv -", "--json and --csv cannot both be standard output"},
};

TEST(BenchArguments, AreRefusedWithASentence)
{
  for (const Wrong &wrong : wrongs) {
    Line line(wrong.line);
    EXPECT_EQ(line.read(), ASKED_WRONG) << wrong.line;
    EXPECT_STREQ(line.sentence, wrong.sentence) << wrong.line;
  }
}

TEST(BenchArguments, NameTheModesThatThereAre)
{
  Line line("fast ws://h");
  EXPECT_EQ(line.read(), ASKED_WRONG);
  EXPECT_EQ(std::string(line.sentence).find("there is no mode 'fast': modes are closed, "), 0u)
      << line.sentence;
  for (const struct mode *mode = modes; mode->name != nullptr; mode++)
    EXPECT_NE(std::string(line.sentence).find(mode->name), std::string::npos) << mode->name;
}

TEST(BenchArguments, CutSentencesThatAreTooLong)
{
  Line line("--" + std::string(1000, 'x'));
  EXPECT_EQ(line.read(), ASKED_WRONG);
  EXPECT_EQ(std::string(line.sentence).size(), sizeof line.sentence - 1);
}

TEST(BenchArguments, HelpFitsATerminal)
{
  char *text = nullptr;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  arguments_help(out);
  fclose(out);
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);)
    EXPECT_LE(line.size(), 100u) << line;
  EXPECT_NE(std::string(text).find("\nExamples\n"), std::string::npos);
  free(text);
}

TEST(BenchUrl, IsTakenApart)
{
  const std::tuple<const char *, const char *, int, const char *> cases[] = {
      {"ws://h", "h", 80, "/"},
      {"ws://h/", "h", 80, "/"},
      {"ws://h?a=b", "h", 80, "/?a=b"},
      {"ws://127.0.0.1:9001/a/b?c=/d", "127.0.0.1", 9001, "/a/b?c=/d"},
      {"ws://[::1]", "::1", 80, "/"},
      {"ws://[fe80::1]:65535/x", "fe80::1", 65535, "/x"},
      {"ws://h:1/a:b@c", "h", 1, "/a:b@c"},
      {"wss://h", "h", 443, "/"},
      {"wss://[::1]:8443/x", "::1", 8443, "/x"},
  };
  for (const auto &[url, host, port, path] : cases) {
    struct settings s = {};
    EXPECT_EQ(url_read(&s, url), nullptr) << url;
    EXPECT_STREQ(s.url, url);
    EXPECT_STREQ(s.host, host) << url;
    EXPECT_EQ(s.port, port) << url;
    EXPECT_STREQ(s.path, path) << url;
  }
}

TEST(BenchUrl, NamesAUnixSocket)
{
  const std::tuple<const char *, bool, const char *, const char *> cases[] = {
      {"ws+unix:/run/app.sock:/path", false, "/run/app.sock", "/path"},
      {"ws+unix:///run/app.sock:/path?a=b", false, "/run/app.sock", "/path?a=b"},
      {"ws+unix:/run/app.sock", false, "/run/app.sock", "/"},
      {"ws+unix:/run/app.sock?a=b", false, "/run/app.sock", "/?a=b"},
      {"ws+unix:/s:/", false, "/s", "/"},
      {"ws+unix:/a:b", false, "/a:b", "/"},
      {"ws+unix:/a:/b:/c", false, "/a:/b", "/c"},
      {"ws+unix:/a:/b?c=:/d", false, "/a", "/b?c=:/d"},
      {"ws+unix:@name:/path", false, "@name", "/path"},
      {"ws+unix:@/tmp/name", false, "@/tmp/name", "/"},
      {"wss+unix:/run/app.sock:/a@b", true, "/run/app.sock", "/a@b"},
  };
  for (const auto &[url, secure, socket, path] : cases) {
    struct settings s = {};
    EXPECT_EQ(url_read(&s, url), nullptr) << url;
    EXPECT_STREQ(s.url, url);
    EXPECT_EQ(s.secure, secure) << url;
    EXPECT_STREQ(s.socket, socket) << url;
    EXPECT_STREQ(s.host, "localhost") << url;
    EXPECT_STREQ(s.path, path) << url;
  }
}

TEST(BenchUrl, IsRefusedWithAClause)
{
  const char *begins = "a URL begins with ws:// or wss://, or with ws+unix: or wss+unix:";
  const char *socket =
      "it names no socket: ws+unix:/run/app.sock:/path, or @name for an abstract one";
  const Wrong cases[] = {
      {"", begins},
      {"h:80", begins},
      {"http://h", begins},
      {"wss:/h", begins},
      {"ws", begins},
      {"ws+unix", begins},
      {"ws+unixx:/s", begins},
      {"ws+unix:", socket},
      {"ws+unix:/", socket},
      {"ws+unix:@", socket},
      {"ws+unix:@:/x", socket},
      {"ws+unix:/:/x", socket},
      {"ws+unix:app.sock:/", socket},
      {"ws+unix://host/app.sock:/", socket},
      {"ws+unix:/s#a", "a WebSocket URL has no fragment (#)"},
      {"ws://", "it names no host: ws://127.0.0.1:8080/"},
      {"ws:///x", "it names no host: ws://127.0.0.1:8080/"},
      {"ws://:80/", "it names no host: ws://127.0.0.1:8080/"},
      {"ws://[]/", "it names no host: ws://127.0.0.1:8080/"},
      {"ws://[::1/", "the bracket of its address is not closed: [::1]"},
      {"ws://::1/", "an IPv6 address stands in brackets: ws://[::1]:8080/"},
      {"ws://h:/", "its port is no number from 1 to 65535"},
      {"ws://h:0/", "its port is no number from 1 to 65535"},
      {"ws://h:65536/", "its port is no number from 1 to 65535"},
      {"ws://h:+80/", "its port is no number from 1 to 65535"},
      {"ws://h:123456789012345678/", "its port is no number from 1 to 65535"},
      {"ws://[::1]x", "its port is no number from 1 to 65535"},
      {"ws://me@h/", "it names a user, which is not sent"},
      {"ws://h/#a", "a WebSocket URL has no fragment (#)"},
      {"ws://h/a b", "a blank, a control character or a letter beyond ASCII is written as %20"},
      {"ws://h/\xC3\xA4",
       "a blank, a control character or a letter beyond ASCII is written as %20"},
  };
  for (const Wrong &wrong : cases) {
    struct settings s = {};
    const char *clause = url_read(&s, wrong.line);
    ASSERT_NE(clause, nullptr) << wrong.line;
    EXPECT_STREQ(clause, wrong.sentence) << wrong.line;
  }
}

TEST(BenchUrl, IsKeptWithinItsFields)
{
  struct settings s = {};
  EXPECT_EQ(url_read(&s, ("ws://" + std::string(255, 'h')).c_str()), nullptr);
  EXPECT_STREQ(url_read(&s, ("ws://" + std::string(256, 'h')).c_str()), "its host is too long");
  EXPECT_STREQ(url_read(&s, ("ws://" + std::string(5000, 'h')).c_str()), "its host is too long");
  EXPECT_EQ(url_read(&s, ("ws://h/" + std::string(1022, 'p')).c_str()), nullptr);
  EXPECT_STREQ(url_read(&s, ("ws://h/" + std::string(1023, 'p')).c_str()), "its path is too long");
  EXPECT_STREQ(url_read(&s, ("ws://h?" + std::string(1022, 'p')).c_str()), "its path is too long");
  const std::string socket = "ws+unix:/" + std::string(106, 's');
  EXPECT_EQ(url_read(&s, (socket + ":/p").c_str()), nullptr);
  EXPECT_STREQ(url_read(&s, (socket + "s:/p").c_str()),
               "its socket's name is too long: 107 bytes are the most");
  EXPECT_EQ(url_read(&s, (socket + ":/" + std::string(1022, 'p')).c_str()), nullptr);
  EXPECT_STREQ(url_read(&s, (socket + ":/" + std::string(1023, 'p')).c_str()),
               "its path is too long");
}

} // namespace
