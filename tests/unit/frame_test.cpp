// Frames: what the header in front of the payload says, and who owns the bytes.
#include "ws/frame.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <thread>
#include <vector>

namespace
{

std::string wire(const struct weir_frame *frame)
{
  const unsigned char *bytes = weir__buf_bytes(&frame->buf);
  return {bytes + frame->buf.begin, bytes + frame->buf.end};
}

TEST(Frame, HasItsHeaderRightInFrontOfThePayload)
{
  const std::pair<size_t, std::string> cases[] = {
      {0, std::string("\x81\x00", 2)},
      {125, std::string("\x81\x7d", 2)},
      {126, std::string("\x81\x7e\x00\x7e", 4)},
      {65535, std::string("\x81\x7e\xff\xff", 4)},
      {65536, std::string("\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10)},
  };
  for (const auto &[len, header] : cases) {
    struct weir_frame *frame;
    std::string payload(len, 'x');
    ASSERT_EQ(weir_frame_new(&frame, WEIR_TEXT, payload.data(), len), 0);
    EXPECT_EQ(wire(frame), header + payload) << len;
    EXPECT_EQ(weir_frame_payload(frame).len, len);
    EXPECT_EQ(weir_frame_opcode(frame), WEIR_TEXT);
    weir_frame_unref(frame);
  }
}

TEST(Frame, NotesThatItIsNotToBeCompressed)
{
  const std::pair<enum weir_opcode, enum weir_opcode> cases[] = {
      {WEIR_TEXT_UNCOMPRESSED, WEIR_TEXT}, {WEIR_BINARY_UNCOMPRESSED, WEIR_BINARY}};
  for (const auto &[marked, plain] : cases) {
    struct weir_frame *frames[2];
    ASSERT_EQ(weir_frame_new(&frames[0], marked, "abc", 3), 0);
    ASSERT_EQ(weir_frame_new(&frames[1], plain, "abc", 3), 0);
    EXPECT_EQ(wire(frames[0]), wire(frames[1]));
    EXPECT_EQ(weir_frame_opcode(frames[0]), plain);
    EXPECT_FALSE(weir__frame_compressible(frames[0]));
    EXPECT_TRUE(weir__frame_compressible(frames[1]));
    for (struct weir_frame *frame : frames)
      weir_frame_unref(frame);
  }
}

TEST(Frame, RefusesWhatIsNoMessage)
{
  struct weir_frame *frame = reinterpret_cast<struct weir_frame *>(1);
  EXPECT_EQ(weir_frame_new(nullptr, WEIR_TEXT, "", 0), -EINVAL);
  EXPECT_EQ(weir_frame_new(&frame, static_cast<enum weir_opcode>(8), "", 0), -EINVAL);
  EXPECT_EQ(frame, nullptr);
  EXPECT_EQ(weir_frame_new(&frame, WEIR_BINARY, nullptr, 1), -EINVAL);
  EXPECT_EQ(weir_frame_new(&frame, WEIR_BINARY, "", static_cast<size_t>(PTRDIFF_MAX) + 1),
            -EMSGSIZE);
  EXPECT_EQ(weir_frame_new(&frame, WEIR_BINARY, "", PTRDIFF_MAX), -ENOMEM);
}

TEST(Frame, OfAMessageSharesCountedBytesAndCopiesOthers)
{
  struct weir_frame *held, *shared, *copied;
  ASSERT_EQ(weir_frame_new(&held, WEIR_BINARY, "abc", 3), 0);
  struct weir_message message = {weir__frame_data(held), 3, WEIR_BINARY, 1, 1, held};
  ASSERT_EQ(weir_frame_of_message(&shared, &message), 0);
  EXPECT_EQ(shared, held);
  message.frame = nullptr;
  ASSERT_EQ(weir_frame_of_message(&copied, &message), 0);
  EXPECT_NE(copied, held);
  EXPECT_EQ(wire(copied), wire(held));
  message.last = 0;
  struct weir_frame *piece;
  EXPECT_EQ(weir_frame_of_message(&piece, &message), -EINVAL);
  for (struct weir_frame *frame : {held, shared, copied})
    weir_frame_unref(frame);
}

TEST(Frame, IsCountedAcrossThreads)
{
  struct weir_frame *frame;
  ASSERT_EQ(weir_frame_new(&frame, WEIR_TEXT, "shared", 6), 0);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++)
    threads.emplace_back([frame] {
      for (int n = 0; n < 10000; n++)
        weir_frame_unref(weir_frame_ref(frame));
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(frame->buf.refs, 1u);
  weir_frame_unref(frame);
}

TEST(Frame, PayloadsAreAligned)
{
  struct weir_frame *frame;
  ASSERT_EQ(weir_frame_new(&frame, WEIR_TEXT, "", 0), 0);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(weir_frame_payload(frame).data) % 16, 0u);
  weir_frame_unref(frame);
}

} // namespace
