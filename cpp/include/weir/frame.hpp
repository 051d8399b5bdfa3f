/* Frames: messages encoded once and shared by any number of connections (<weir/frame.h>). */
#ifndef WEIR_FRAME_HPP
#define WEIR_FRAME_HPP

#include <utility>

#include <weir/error.hpp>
#include <weir/frame.h>
#include <weir/view.hpp>

namespace weir
{

/* A counted reference to an immutable frame: a copy is one more reference to the same bytes, the
 * last one gone frees them. A default-constructed or moved-from frame is empty: sending it is
 * std::errc::invalid_argument. Any thread. */
class frame
{
public:
  frame() noexcept = default;
  frame(const frame &other) noexcept
      : native_(other.native_ != nullptr ? weir_frame_ref(other.native_) : nullptr)
  {
  }
  frame(frame &&other) noexcept : native_(std::exchange(other.native_, nullptr)) {}
  frame &operator=(frame other) noexcept
  {
    std::swap(native_, other.native_);
    return *this;
  }
  ~frame()
  {
    weir_frame_unref(native_);
  }

  /* Encodes a text message (UTF-8, which is not checked) or a binary one; the data is copied.
   * Throws std::system_error as weir_frame_new fails, or sets error and returns an empty frame. */
  [[nodiscard]] static frame text(std::string_view data)
  {
    return make(WEIR_TEXT, data);
  }
  [[nodiscard]] static frame text(std::string_view data, std::error_code &error) noexcept
  {
    return make(WEIR_TEXT, data, error);
  }
  [[nodiscard]] static frame binary(bytes_view data)
  {
    return make(WEIR_BINARY, data);
  }
  [[nodiscard]] static frame binary(bytes_view data, std::error_code &error) noexcept
  {
    return make(WEIR_BINARY, data, error);
  }

  /* The same of a message that is sent uncompressed to everyone: for one that mixes a secret with
   * what an attacker may choose (RFC 7692 section 8). */
  [[nodiscard]] static frame text_uncompressed(std::string_view data)
  {
    return make(WEIR_TEXT_UNCOMPRESSED, data);
  }
  [[nodiscard]] static frame text_uncompressed(std::string_view data,
                                               std::error_code &error) noexcept
  {
    return make(WEIR_TEXT_UNCOMPRESSED, data, error);
  }
  [[nodiscard]] static frame binary_uncompressed(bytes_view data)
  {
    return make(WEIR_BINARY_UNCOMPRESSED, data);
  }
  [[nodiscard]] static frame binary_uncompressed(bytes_view data, std::error_code &error) noexcept
  {
    return make(WEIR_BINARY_UNCOMPRESSED, data, error);
  }

  /* Takes over a reference that the caller owns; native may be NULL. */
  [[nodiscard]] static frame adopt(weir_frame *native) noexcept
  {
    frame adopted;
    adopted.native_ = native;
    return adopted;
  }

  /* Whether there is a frame; the rest needs one. */
  explicit operator bool() const noexcept
  {
    return native_ != nullptr;
  }
  /* The message's bytes, good for as long as this or another reference lives. */
  std::string_view payload() const noexcept
  {
    return detail::text_of(weir_frame_payload(native_));
  }
  bool is_text() const noexcept
  {
    return weir_frame_opcode(native_) == WEIR_TEXT;
  }
  bool is_binary() const noexcept
  {
    return weir_frame_opcode(native_) == WEIR_BINARY;
  }

  /* The C frame, still owned here; NULL when empty. */
  weir_frame *native() const noexcept
  {
    return native_;
  }

private:
  static frame make(weir_opcode opcode, bytes_view data, std::error_code &error) noexcept
  {
    weir_frame *made = nullptr;
    error = to_error_code(weir_frame_new(&made, opcode, data.data(), data.size()));
    return adopt(made);
  }
  static frame make(weir_opcode opcode, bytes_view data)
  {
    std::error_code error;
    frame made = make(opcode, data, error);
    if (error)
      throw std::system_error(error, "weir::frame");
    return made;
  }

  weir_frame *native_ = nullptr;
};

} // namespace weir

#endif
