// Compressed messages, however they are cut, whatever the room. Input: a byte that is the window's
// bits, a byte that says where the second message begins, then both. The whole input, single bytes
// and pieces of other lengths must give the same bytes and the same verdict; so must a stream that
// got its window from another between the messages.
#include "wire/inflate.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace
{

constexpr size_t LIMIT = 32768; // of output, for single bytes of room are slow
constexpr weir__zmem HEAP = {[](void *, size_t size) { return std::malloc(size); },
                             [](void *, void *memory) { std::free(memory); }, nullptr};

void require(bool holds)
{
  if (!holds)
    abort();
}

struct outcome {
  std::string text;
  std::string_view wrong; // the reason, or "limit"
  bool operator==(const outcome &) const = default;
};

struct inflater {
  weir__inflate state;

  explicit inflater(uint8_t bits)
  {
    require(weir__inflate_init(&state, bits, HEAP) == 0);
  }
  inflater(const inflater &) = delete;
  ~inflater()
  {
    weir__inflate_fini(&state);
  }

  outcome message(const std::vector<unsigned char> &data, size_t piece, size_t room)
  {
    outcome found;
    size_t at = 0;
    do {
      const size_t len = std::min(piece, data.size() - at);
      // memory of its own size, so that a sanitizer sees a byte too far
      const std::vector<unsigned char> part(data.begin() + static_cast<ptrdiff_t>(at),
                                            data.begin() + static_cast<ptrdiff_t>(at + len));
      at += len;
      feed(part, at == data.size(), room, found);
    } while (at < data.size() && found.wrong.empty());
    if (found.text.size() > LIMIT)
      return {found.text.substr(0, LIMIT), "limit"};
    return found;
  }

  void feed(const std::vector<unsigned char> &part, bool last, size_t room, outcome &found)
  {
    std::vector<unsigned char> out(room);
    weir__bytes_in in = {part.data(), part.size()};
    int result = WEIR__INFLATE_MORE;
    while (result == WEIR__INFLATE_MORE && found.text.size() <= LIMIT) {
      const weir__bytes_in before = in;
      const char *reason = nullptr;
      size_t made = SIZE_MAX;
      result = weir__inflate_next(&state, &in, last, out.data(), room, &made, &reason);
      require(made <= room && in.at + in.len == before.at + before.len && in.len <= before.len);
      require(result == -1007 || (result == WEIR__INFLATE_MORE && made == room) ||
              (result == WEIR__INFLATE_DONE && made < room && in.len == 0));
      found.text.append(out.begin(), out.begin() + static_cast<ptrdiff_t>(made));
      if (result < 0)
        found.wrong = reason;
    }
    if (found.text.size() > LIMIT)
      found.wrong = "limit";
  }

  std::vector<unsigned char> window() const
  {
    std::vector<unsigned char> bytes(WEIR__INFLATE_WINDOW);
    bytes.resize(weir__inflate_window(&state, bytes.data()));
    return bytes;
  }
};

// Both messages' outcomes; the second's is empty where the first was refused.
std::pair<outcome, outcome> both(uint8_t bits, const std::vector<unsigned char> *messages,
                                 size_t piece, size_t room, bool move)
{
  inflater one(bits), other(bits);
  outcome first = one.message(messages[0], piece, room);
  if (!first.wrong.empty())
    return {first, {}};
  if (!move)
    return {first, one.message(messages[1], piece, room)};
  const std::vector<unsigned char> window = one.window();
  require(window.size() <= size_t{1} << std::max<int>(bits, 9));
  other.message(messages[1], piece, room); // whatever it holds
  weir__inflate_restore(&other.state, window.data(), window.size());
  require(other.window() == window);
  return {first, other.message(messages[1], piece, room)};
}

bool sound(const std::pair<outcome, outcome> &found)
{
  return found.first.wrong.empty() && found.second.wrong.empty();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 2)
    return 0;
  const auto bits = static_cast<uint8_t>(15 - data[0] % 8);
  const size_t len = size - 2, cut = len * data[1] / 255;
  const std::vector<unsigned char> messages[] = {{data + 2, data + 2 + cut},
                                                 {data + 2 + cut, data + size}};
  const auto whole = both(bits, messages, SIZE_MAX, LIMIT * 2, false);
  struct way {
    size_t piece, room;
    bool move;
  };
  for (way w : {way{1, 1, false},
                {1, 300, true},
                {7, 1, true},
                {61, 258, false},
                {SIZE_MAX, 1000, true},
                {SIZE_MAX, LIMIT * 2, true}}) {
    const auto found = both(bits, messages, w.piece, w.room, w.move);
    // in a window that is smaller, a distance beyond it is found when its bytes are gone
    if (bits == 15 || (sound(whole) && sound(found)))
      require(found == whole);
  }
  return 0;
}
