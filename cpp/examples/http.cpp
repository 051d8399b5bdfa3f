/* Plain HTTP: the temperatures of a few rooms, as a page, as JSON, by a long poll and by a stream
 * of events; and the files of a folder. Usage: http [PORT [FOLDER]], by default 8080 and no folder.
 *
 *   curl localhost:8080/rooms/kitchen/next & curl -X PUT -d 21.5 localhost:8080/rooms/kitchen */
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>

#include <weir/weir.hpp>

static const char page[] = R"(<!doctype html><title>Rooms</title><pre id="log"></pre><script>
new EventSource("/events").onmessage = e => document.getElementById("log").append(e.data + "\n")
</script>)";

struct room {
  double celsius = 20;
  std::vector<weir::kept_request> waiting = {}; // for it to change
};

/* One loop, so one thread: nothing here needs a lock. */
static std::map<std::string, room> rooms = {{"kitchen", {}}, {"cellar", {}}};
static std::vector<weir::kept_request> watchers; // of the events

static std::string json(const std::string &name)
{
  char text[128];
  std::snprintf(text, sizeof(text), R"({"room":"%s","celsius":%.1f})", name.c_str(),
                rooms.at(name).celsius);
  return text;
}

static weir::response answer(const std::string &name)
{
  return {.type = "application/json", .body = json(name)};
}

static weir::response missing()
{
  return {.status = 404, .body = "there is no such room\n"};
}

/* A room has changed: tells whoever waits for it, and whoever watches. */
static void changed(const std::string &name)
{
  for (weir::kept_request &request : std::exchange(rooms.at(name).waiting, {}))
    request.respond(answer(name));
  for (weir::kept_request &request : watchers)
    request.write("data: " + json(name) + "\n\n"); // who is slow to read misses it
}

static weir::response get_room(weir::request &request)
{
  std::string name = request.parameter("room");
  return rooms.contains(name) ? answer(name) : missing();
}

static weir::response put_room(weir::request &request)
{
  std::string name = request.parameter("room"), body(request.body());
  char *end;
  double celsius = std::strtod(body.c_str(), &end);
  if (!rooms.contains(name))
    return missing();
  if (body.empty() || *end != '\0' || !std::isfinite(celsius))
    return {.status = 400, .body = "not a number\n"};
  rooms.at(name).celsius = celsius;
  changed(name);
  return answer(name);
}

/* A long poll: kept until the room changes; any thread might answer it. */
static int next(weir::request &request)
{
  std::string name = request.parameter("room");
  if (!rooms.contains(name))
    return request.respond(missing());
  rooms.at(name).waiting.push_back(request.keep());
  return weir::later; // or 503, when nothing changes for a minute
}

static void stop_waiting(weir::kept_request &request)
{
  std::erase(rooms.at(request.parameter("room")).waiting, request);
}

/* Events (text/event-stream), as long as the client likes. */
static int watch(weir::request &request)
{
  weir::kept_request kept = request.keep();
  kept.begin({.type = "text/event-stream", .headers = {{"Cache-Control", "no-store"}}});
  watchers.push_back(kept);
  return weir::later;
}

int main(int argc, char **argv)
try {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  static weir::server app;
  app.get("/", [](weir::request &) {
    return weir::response{.type = "text/html; charset=utf-8", .body = page};
  });
  app.get("/rooms/:room", get_room);
  app.put("/rooms/:room", {.request = put_room, .options = {.max_body_bytes = 64}});
  app.get("/rooms/:room/next", {.request = next, .gone = stop_waiting});
  app.get("/events", {.request = watch,
                      .gone = [](weir::kept_request &request) { std::erase(watchers, request); }});
  if (argc > 2)
    app.files("/files/*", argv[2], {.max_age_s = 60});
  app.listen(argc > 1 ? std::atoi(argv[1]) : 8080);
  std::printf("listening on http://localhost:%d/\n", app.port());
  for (int number : {SIGINT, SIGTERM})
    std::signal(number, [](int) { app.stop(); });
  app.run();
} catch (const std::exception &e) {
  std::fprintf(stderr, "http: %s\n", e.what());
  return EXIT_FAILURE;
}
