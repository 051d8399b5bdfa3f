/* Messages as handlers get them (struct weir_message in <weir/frame.h>). */
#ifndef WEIR_MESSAGE_HPP
#define WEIR_MESSAGE_HPP

#include <weir/frame.hpp>

namespace weir
{

/* A message, or in a fragment handler a piece of one, lent until the handler returns; to_frame()
 * keeps it. 8 bytes, passed by value. Loop thread. */
class message
{
public:
  explicit message(const weir_message &native) noexcept : native_(&native) {}

  /* Text is valid UTF-8 as a whole; a piece of it may end inside a character. */
  bool is_text() const noexcept
  {
    return native_->opcode == WEIR_TEXT;
  }
  bool is_binary() const noexcept
  {
    return native_->opcode == WEIR_BINARY;
  }

  /* The same bytes, of a text or of a binary message, as either type. Lent. */
  std::string_view text() const noexcept
  {
    return {static_cast<const char *>(native_->data), native_->len};
  }
  std::span<const std::byte> bytes() const noexcept
  {
    return {static_cast<const std::byte *>(native_->data), native_->len};
  }

  /* Whether the message begins, or ends, with this piece; both are true in a message handler. */
  bool first() const noexcept
  {
    return native_->first != 0;
  }
  bool last() const noexcept
  {
    return native_->last != 0;
  }

  /* The whole message as a frame, without a copy where its bytes are counted already
   * (weir_frame_of_message). Throws std::system_error, or sets error and returns an empty frame. */
  [[nodiscard]] frame to_frame() const
  {
    std::error_code error;
    frame made = to_frame(error);
    if (error)
      throw std::system_error(error, "weir::message::to_frame");
    return made;
  }
  [[nodiscard]] frame to_frame(std::error_code &error) const noexcept
  {
    weir_frame *made = nullptr;
    error = to_error_code(weir_frame_of_message(&made, native_));
    return frame::adopt(made);
  }

  /* The C message, lent. */
  const weir_message *native() const noexcept
  {
    return native_;
  }

private:
  const weir_message *native_;
};

} // namespace weir

#endif
