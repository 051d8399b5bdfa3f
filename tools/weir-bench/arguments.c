/* The command line: the options are a table, which reads them, gives their defaults and is their
 * help. What single options cannot know of each other is judged when all are read. */
#include "arguments.h"

#include "cpus.h"
#include "modes.h"
#include "url.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Numbers come first. */
enum type { COUNT, SIZE, REAL, PID, CPUS, PATH, WORD, FLAG, KIND, ASK };

/* Without a name: the heading of those that follow. */
struct option {
  const char *name, *value, *help;
  enum type type;
  int which;     /* of KIND and ASK: which one */
  size_t offset; /* into the settings */
  double least, most;
  const char *initial;
  unsigned uses; /* the modes that take it; 0: all */
};

#define FIELD(name) .offset = offsetof(struct settings, name)

static const struct option options[] = {
    {.help = "Connections"},
    {"connections", "N", "how many", COUNT, FIELD(connections), .least = 1, .most = 1000000,
     .initial = "100"},
    {"addresses", "N", "loopback addresses they come from, 127.0.0.1 and on", COUNT,
     FIELD(addresses), .least = 1, .most = 250, .initial = "1"},
    {"lifetime", "SECONDS", "how long a connection stays", REAL, FIELD(lifetime_s), .least = 0.001,
     .most = 3600, .initial = "1", .uses = MODE_LIFETIME},
    {"stall", "SECONDS", "how long a slow receiver does not read", REAL, FIELD(stall_s),
     .least = 0.001, .most = 3600, .initial = "1", .uses = MODE_STALL},
    {"slow", "PERCENT", "share of the receivers that are slow", REAL, FIELD(slow_percent),
     .most = 100, .initial = "10", .uses = MODE_STALL},
    {"side-path", "PATH", "where the connection that is timed asks for echoes", PATH,
     FIELD(side_path), .initial = "/", .uses = MODE_SIDE},
    {.help = "Messages"},
    {"size", "BYTES", "of a message: 64, 1K, 1M", SIZE, FIELD(size), .most = 1 << 30,
     .initial = "64", .uses = MODE_PAYLOAD},
    {"binary", NULL, "random bytes; the default", KIND, .which = KIND_BINARY, .uses = MODE_PAYLOAD},
    {"text", NULL, "ASCII text", KIND, .which = KIND_TEXT, .uses = MODE_PAYLOAD},
    {"cjk", NULL, "text of characters of three bytes", KIND, .which = KIND_CJK,
     .uses = MODE_PAYLOAD},
    {"json-payload", NULL, "JSON of records with keys that repeat", KIND, .which = KIND_JSON,
     .uses = MODE_PAYLOAD},
    {"fragments", "N", "frames of a message", COUNT, FIELD(fragments), .least = 1, .most = 65536,
     .initial = "1", .uses = MODE_PAYLOAD},
    {"in-flight", "N", "messages of a connection that await answers", COUNT, FIELD(in_flight),
     .least = 1, .most = 65536, .initial = "1", .uses = MODE_IN_FLIGHT},
    {"apart", NULL, "the first of them begin apart, not together", FLAG, FIELD(apart),
     .uses = MODE_APART},
    {"rate", "N", "messages or connections a second; a ramp begins there", REAL, FIELD(rate),
     .least = 0.001, .most = 1e9, .uses = MODE_RATE},
    {"bound", "US", "the p99 in microseconds that is too much", REAL, FIELD(bound_us), .least = 1,
     .most = 1e9, .initial = "5000", .uses = MODE_BOUND},
    {"compress", NULL, "offers permessage-deflate; a server that declines it is a failure", FLAG,
     FIELD(compress)},
    {"no-takeover", NULL, "asks that neither side keeps its context", FLAG, FIELD(no_takeover)},
    {.help = "TLS, for wss://"},
    {"ca", "FILE", "PEM: the server's certificate must be of it; without --ca, any is taken", WORD,
     FIELD(ca)},
    {"tls-version", "N", "12 or 13, that one alone; default either", COUNT, FIELD(tls_version),
     .least = 12, .most = 13},
    {"resume", NULL, "resumes sessions; else each connection makes a full handshake", FLAG,
     FIELD(resume)},
    {.help = "Time"},
    {"warmup", "SECONDS", "not measured", REAL, FIELD(warmup_s), .most = 3600, .initial = "1"},
    {"seconds", "SECONDS", "measured", REAL, FIELD(seconds), .least = 0.01, .most = 86400,
     .initial = "5"},
    {.help = "This machine"},
    {"threads", "N", "that make the load", COUNT, FIELD(threads), .least = 1, .most = 256,
     .initial = "1"},
    {"cpus", "LIST", "that they are pinned to: 1 or 0,2-3", CPUS, FIELD(cpus)},
    {"spin-us", "US", "how long they look for events before they block", COUNT, FIELD(spin_us),
     .most = 1000000, .initial = "0"},
    {"server-pid", "PID", "the server's process, whose CPU and memory are told", PID,
     FIELD(server_pid), .least = 1, .most = 1 << 22},
    {.help = "Reports"},
    {"json", "FILE", "everything, as JSON; - is standard output", WORD, FIELD(json)},
    {"csv", "FILE", "one row, appended; - is standard output", WORD, FIELD(csv)},
    {"quiet", NULL, "nothing while it runs", FLAG, FIELD(quiet)},
    {"help", NULL, "this text", ASK, .which = ASKED_HELP},
    {"version", NULL, "the version", ASK, .which = ASKED_VERSION},
};

enum { OPTIONS = sizeof options / sizeof options[0] };

struct reader {
  struct settings *settings;
  bool given[OPTIONS];
  enum asked asked;
  char *sentence;
  size_t size;
};

/* Keeps what is wrong. Returns false, for its caller to return. */
__attribute__((format(printf, 2, 3))) static bool wrong(struct reader *reader, const char *format,
                                                        ...)
{
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(reader->sentence, reader->size, format, arguments);
  va_end(arguments);
  reader->asked = ASKED_WRONG;
  return false;
}

/* ---- values */

/* A decimal number, with a fraction when it may have one; returns what follows, or NULL. */
static const char *decimal(const char *text, bool fraction, double *value)
{
  char *end;
  size_t len = strspn(text, fraction ? "0123456789." : "0123456789");
  if (len == 0)
    return NULL;
  *value = strtod(text, &end);
  return end == text + len ? end : NULL;
}

/* The factor of a size's unit, K, M or G; 0: it is none. */
static double unit(const char *text)
{
  static const char units[] = "KMG";
  const char *place = strchr(units, text[0]);
  if (text[0] == '\0')
    return 1;
  return place != NULL && text[1] == '\0' ? (double)(1L << 10 * (place - units + 1)) : 0;
}

/* Bounds as they are written on a command line. */
static void bound(char *text, size_t size, const struct option *option, double value)
{
  if (option->type == SIZE && value >= 1 << 30)
    snprintf(text, size, "%gG", value / (1 << 30));
  else
    snprintf(text, size, "%.10g", value);
}

static bool out_of_range(struct reader *reader, const struct option *option, const char *text)
{
  static const char *const kinds[] = {[COUNT] = "a whole number",
                                      [SIZE] = "bytes",
                                      [REAL] = "a number",
                                      [PID] = "a process's number"};
  char least[32], most[32];
  bound(least, sizeof least, option, option->least);
  bound(most, sizeof most, option, option->most);
  return wrong(reader, "--%s takes %s from %s to %s%s, not '%s'", option->name, kinds[option->type],
               least, most, option->type == SIZE ? ", such as 64, 1K or 1M" : "", text);
}

static void store(void *field, enum type type, double value)
{
  if (type == SIZE)
    *(size_t *)field = (size_t)value;
  else if (type == REAL)
    *(double *)field = value;
  else if (type == PID)
    *(pid_t *)field = (pid_t)value;
  else
    *(unsigned *)field = (unsigned)value;
}

static bool take_number(struct reader *reader, const struct option *option, const char *text)
{
  double value = 0;
  const char *rest = decimal(text, option->type == REAL, &value);
  double factor = rest == NULL ? 0 : option->type == SIZE ? unit(rest) : *rest == '\0';
  value *= factor;
  if (factor == 0 || value < option->least || value > option->most)
    return out_of_range(reader, option, text);
  store((char *)reader->settings + option->offset, option->type, value);
  return true;
}

/* ---- words of the command line */

static bool take_path(struct reader *reader, const struct option *option, const char *text)
{
  char *to = (char *)reader->settings + option->offset;
  size_t len = strlen(text);
  if (text[0] != '/' || strpbrk(text, " #") != NULL || len >= sizeof reader->settings->side_path)
    return wrong(reader, "--%s takes a path such as /echo, not '%.100s'", option->name, text);
  memcpy(to, text, len + 1);
  return true;
}

static bool take_value(struct reader *reader, const struct option *option, const char *text)
{
  if (option->type < CPUS)
    return take_number(reader, option, text);
  if (option->type == CPUS && cpus_count(text) < 0)
    return wrong(reader, "--cpus takes a list such as 1 or 0,2-3, not '%s'", text);
  if (option->type == PATH)
    return take_path(reader, option, text);
  *(const char **)((char *)reader->settings + option->offset) = text;
  return true;
}

static void take_flag(struct reader *reader, const struct option *option)
{
  if (option->type == KIND)
    reader->settings->kind = (enum kind)option->which;
  else if (option->type == ASK)
    reader->asked = (enum asked)option->which;
  else
    *(bool *)((char *)reader->settings + option->offset) = true;
}

static const struct option *find_option(const char *name, size_t len)
{
  for (size_t i = 0; i < OPTIONS; i++) {
    const char *known = options[i].name;
    if (known != NULL && strncmp(known, name, len) == 0 && known[len] == '\0')
      return &options[i];
  }
  return NULL;
}

/* Takes "--name value", "--name=value" or "--name"; moves on to the last word of it. */
static bool take_option(struct reader *reader, char *const **word)
{
  const char *name = **word + 2;
  size_t len = strcspn(name, "=");
  const struct option *option = find_option(name, len);
  if (option == NULL)
    return wrong(reader, "there is no option --%.*s", (int)len, name);
  if (reader->given[option - options])
    return wrong(reader, "--%s is given twice", option->name);
  reader->given[option - options] = true;
  if (option->value == NULL) {
    if (name[len] == '=')
      return wrong(reader, "--%s takes no value", option->name);
    take_flag(reader, option);
    return true;
  }
  const char *value = name[len] == '=' ? name + len + 1 : *++*word;
  if (value == NULL || value[0] == '\0' || (name[len] != '=' && strncmp(value, "--", 2) == 0))
    return wrong(reader, "a value is missing: --%s %s (%s)", option->name, option->value,
                 option->help);
  return take_value(reader, option, value);
}

/* The names of the modes that use one of the bits, all with all of them; as many as fit. */
static const char *mode_names(unsigned uses, char *text, size_t size)
{
  text[0] = '\0';
  for (const struct mode *mode = modes; mode->name != NULL; mode++) {
    size_t len = strlen(text);
    if ((mode->uses & uses) != 0 || uses == 0)
      snprintf(text + len, size - len, "%s%s", len > 0 ? ", " : "", mode->name);
  }
  return text;
}

/* Takes the mode or the URL. */
static bool take_word(struct reader *reader, const char *word)
{
  struct settings *settings = reader->settings;
  char names[256];
  const char *clause;
  if (strpbrk(word, ":/.") != NULL) {
    if (settings->url != NULL)
      return wrong(reader, "there are two URLs, %.100s and %.100s: take one", settings->url, word);
    clause = url_read(settings, word);
    return clause == NULL || wrong(reader, "%.200s: %s", word, clause);
  }
  if (settings->mode != NULL)
    return wrong(reader, "there are two modes, %s and %.100s: take one", settings->mode->name,
                 word);
  settings->mode = mode_find(word);
  return settings->mode != NULL || wrong(reader, "there is no mode '%.100s': modes are %s", word,
                                         mode_names(0, names, sizeof names));
}

static bool take_all(struct reader *reader, char *const *words)
{
  for (; *words != NULL; words++) {
    bool good = strncmp(*words, "--", 2) == 0 ? take_option(reader, &words)
                : (*words)[0] == '-'
                    ? wrong(reader, "there is no option %s: options begin with --", *words)
                    : take_word(reader, *words);
    if (!good || reader->asked != ASKED_RUN)
      return false;
  }
  return true;
}

/* ---- what must fit together */

static bool fits_mode(struct reader *reader)
{
  const struct mode *mode = reader->settings->mode;
  char names[256];
  for (size_t i = 0; i < OPTIONS; i++) {
    unsigned uses = options[i].uses;
    if (!reader->given[i] || uses == 0 || (mode->uses & uses) != 0)
      continue;
    return wrong(reader, "--%s is not for mode %s, but for %s", options[i].name, mode->name,
                 mode_names(uses, names, sizeof names));
  }
  if ((mode->uses & MODE_NEEDS_RATE) != 0 && reader->settings->rate == 0)
    return wrong(reader, "mode %s needs a --rate", mode->name);
  return true;
}

/* All their messages are kept. */
enum { FEW_SIZE_MOST = 16 << 20 };

static bool fits_payload(struct reader *reader)
{
  const struct settings *s = reader->settings;
  if (s->kind == KIND_CJK && s->size < 3)
    return wrong(reader, "--cjk needs a --size of 3 or more: a character has three bytes");
  if (s->fragments > 1 && s->fragments > s->size)
    return wrong(reader, "%zu bytes cannot be cut into %u --fragments", s->size, s->fragments);
  if (s->kind == KIND_JSON && s->size < 2)
    return wrong(reader, "--json-payload needs a --size of 2 or more");
  if ((s->kind == KIND_JSON || s->compress) && s->size > FEW_SIZE_MOST)
    return wrong(reader, "--json-payload and --compress take a --size of up to 16M");
  if (s->no_takeover && !s->compress)
    return wrong(reader, "--no-takeover is for --compress");
  unsigned kinds = 0;
  for (size_t i = 0; i < OPTIONS; i++)
    kinds += options[i].type == KIND && reader->given[i];
  return kinds <= 1 || wrong(reader, "take one of --binary, --text, --cjk and --json-payload");
}

static bool fits_url(struct reader *reader)
{
  const struct settings *s = reader->settings;
  const char *option = s->ca != NULL         ? "ca"
                       : s->tls_version != 0 ? "tls-version"
                       : s->resume           ? "resume"
                                             : NULL;
  if (option != NULL && !s->secure)
    return wrong(reader, "--%s is for wss://", option);
  return s->socket[0] == '\0' || s->addresses == 1 ||
         wrong(reader, "--addresses is for TCP: a unix socket has none");
}

/* A local address has some 28,000 ports for connections to the same server. */
enum { PORTS = 28000 };

static bool fits_machine(struct reader *reader)
{
  const struct settings *s = reader->settings;
  unsigned needed = (s->connections + PORTS - 1) / PORTS;
  if (s->addresses < needed && s->socket[0] == '\0')
    return wrong(reader, "%u connections need --addresses %u: each has some 28,000 ports",
                 s->connections, needed);
  if (s->threads > s->connections)
    return wrong(reader, "%u --threads need as many --connections, not %u", s->threads,
                 s->connections);
  if (s->json != NULL && s->csv != NULL && strcmp(s->json, "-") == 0 && strcmp(s->csv, "-") == 0)
    return wrong(reader, "--json and --csv cannot both be standard output");
  return true;
}

enum asked arguments_read(struct settings *settings, int argc, char *const *argv, char *sentence,
                          size_t size)
{
  struct reader reader = {.settings = settings, .sentence = sentence, .size = size};
  memset(settings, 0, sizeof *settings);
  for (size_t i = 0; i < OPTIONS; i++) {
    if (options[i].initial != NULL)
      take_value(&reader, &options[i], options[i].initial);
  }
  if (!take_all(&reader, argc > 0 ? argv + 1 : argv))
    return reader.asked;
  if (settings->mode == NULL)
    settings->mode = &modes[0];
  if (settings->url == NULL)
    wrong(&reader, "a URL is missing: weir-bench [MODE] [options] ws://host:port/path");
  else if (fits_mode(&reader) && fits_payload(&reader) && fits_url(&reader))
    fits_machine(&reader);
  return reader.asked;
}

/* ---- help */

static void help_option(FILE *out, const struct option *option)
{
  char head[40], names[256];
  snprintf(head, sizeof head, "--%s %s", option->name, option->value != NULL ? option->value : "");
  fprintf(out, "  %-21s%s", head, option->help);
  if (option->initial != NULL)
    fprintf(out, "; default %s", option->initial);
  if ((option->uses & (MODE_LIFETIME | MODE_STALL | MODE_BOUND | MODE_SIDE)) != 0)
    fprintf(out, " (%s)", mode_names(option->uses, names, sizeof names));
  fputc('\n', out);
}

void arguments_help(FILE *out)
{
  fputs("weir-bench puts a load on a WebSocket server, checks every answer, and measures.\n\n"
        "usage: weir-bench [MODE] [options] ws[s]://host:port/path\n"
        "       weir-bench [MODE] [options] ws[s]+unix:/run/app.sock:/path\n\n"
        "Modes\n",
        out);
  for (const struct mode *mode = modes; mode->name != NULL; mode++)
    fprintf(out, "  %-21s%s\n", mode->name, mode->help);
  for (size_t i = 0; i < OPTIONS; i++) {
    if (options[i].name == NULL)
      fprintf(out, "\n%s\n", options[i].help);
    else
      help_option(out, &options[i]);
  }
  fputs("\nExamples\n"
        "  weir-bench ws://127.0.0.1:8080/\n"
        "  weir-bench --in-flight 16 --size 1K --cpus 1 --server-pid 4711 ws://127.0.0.1:8080/\n"
        "  weir-bench --compress --json-payload --size 1K wss://127.0.0.1:8443/\n"
        "  weir-bench rate --rate 50000 --seconds 10 --json run.json ws://127.0.0.1:8080/\n"
        "  weir-bench storm ws+unix:/run/app.sock:/chat\n\n"
        "The exit status is 0 when every message came back right, 1 when not, 2 for arguments.\n",
        out);
}
