// TLS as a stream: bytes both ways, what is held, how it ends.
#include "tls_stream_fixture.hpp"

#include <openssl/err.h>

namespace
{

class versions : public tls_stream, public testing::WithParamInterface<int>
{
protected:
  tls_peer_options of() const
  {
    return {.min_version = GetParam(), .max_version = GetParam()};
  }
};

TEST_P(versions, echo)
{
  begin(of());
  carry();
  ASSERT_TRUE(server.tls.open);
  EXPECT_EQ(SSL_version(client->ssl()), GetParam());
  client->write("hello");
  carry();
  EXPECT_EQ(heard, "hello");
  EXPECT_EQ(give("hello"), 5);
  carry();
  EXPECT_EQ(client->read(), "hello");
  EXPECT_EQ(server.tls.out, nullptr);
  EXPECT_FALSE(server.s.source.readable);
}

TEST_P(versions, byte_by_byte)
{
  begin(of());
  kernel.step = 1;
  std::string text = noise(3000);
  carry();
  ASSERT_TRUE(server.tls.open);
  client->write(text);
  carry();
  EXPECT_EQ(heard, text);
  EXPECT_EQ(give_all(text), text);
}

TEST_P(versions, a_mebibyte_each_way)
{
  begin(of());
  carry();
  std::string text = noise(1 << 20), got;
  std::mt19937 random(1);
  client->write(text);
  kernel.in = client->take_output();
  while (!kernel.in.empty()) {
    kernel.step = 1 + random() % 200000;
    receive(server);
  }
  EXPECT_EQ(heard, text);
  for (size_t done = 0; done < text.size();) {
    kernel.room = random() % 3 == 0 ? 0 : random() % 150000;
    kernel.step = 1 + random() % 100000;
    server.s.source.writable = 1;
    ssize_t n = give({text.substr(done, 10),
                      text.substr(done).substr(std::min<size_t>(10, text.size() - done), 90000)});
    ASSERT_TRUE(n > 0 || n == -EAGAIN);
    done += n < 0 ? 0 : static_cast<size_t>(n);
    client->got(std::exchange(kernel.out, {}));
    got += client->read();
  }
  EXPECT_EQ(got, text);
}

TEST_P(versions, says_that_it_ends)
{
  begin(of());
  carry();
  EXPECT_EQ(server.s.ops->shutdown(&server.s, &fake.sys), 0);
  EXPECT_TRUE(kernel.out_ended);
  client->got(kernel.out);
  EXPECT_EQ(client->read(), "");
  EXPECT_TRUE(client->closed());
  EXPECT_FALSE(client->failed());
}

TEST_P(versions, hears_that_the_peer_ends)
{
  begin(of());
  carry();
  client->write("the last");
  client->shutdown();
  kernel.in += client->take_output() + "not for us";
  EXPECT_EQ(receive(server), 0);
  EXPECT_EQ(heard, "the last");
  EXPECT_EQ(receive(server), 0) << "nothing behind it is looked at";
  EXPECT_FALSE(server.tls.failed);
}

INSTANTIATE_TEST_SUITE_P(tls, versions, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto &info) {
                           return info.param == TLS1_2_VERSION ? "v12" : "v13";
                         });

TEST_F(tls_stream, sends_records_that_are_full)
{
  begin();
  carry();
  size_t sends = kernel.sends;
  std::vector<std::string> pieces(64, std::string(2000, 'p'));
  EXPECT_EQ(give(pieces), 64 * 2000);
  EXPECT_EQ(kernel.sends - sends, 64u * 2000 / WEIR__TLS_RECORD + 1);
  client->got(kernel.out);
  EXPECT_EQ(client->read(), std::string(size_t{64} * 2000, 'p'));
}

TEST_F(tls_stream, sends_a_short_rest_along)
{
  begin();
  carry();
  std::string text = noise(WEIR__TLS_RECORD + WEIR__TLS_TAIL);
  size_t sends = kernel.sends;
  EXPECT_EQ(give({text.substr(0, 4), text.substr(4)}), static_cast<ssize_t>(text.size()));
  EXPECT_EQ(kernel.sends - sends, 1u);
  kernel.room = WEIR__TLS_RECORD + 100;
  EXPECT_EQ(give(text), -EAGAIN);
  EXPECT_EQ(weir__stream_committed(&server.s), text.size());
  kernel.room = SIZE_MAX;
  server.s.source.writable = 1;
  EXPECT_EQ(give(text + "!"), static_cast<ssize_t>(text.size()) + 1);
  client->got(kernel.out);
  EXPECT_EQ(client->read(), text + text + "!");
}

/* As a flight of a handshake with very long certificates would. */
TEST_F(tls_stream, keeps_what_its_buffer_has_no_room_for)
{
  begin();
  carry();
  std::string text = noise(3 * 16000);
  loop->tls->current = &server.tls;
  for (int i = 0; i < 3; i++)
    ASSERT_EQ(SSL_write(server.tls.ssl, text.data() + i * 16000, 16000), 16000);
  writable();
  client->got(kernel.out);
  EXPECT_EQ(client->read(), text);
}

TEST_F(tls_stream, reports_plaintext_once_its_record_has_left)
{
  begin();
  carry();
  std::string first(100, 'a'), more = first + "bb";
  kernel.room = 50;
  EXPECT_EQ(give(first), -EAGAIN);
  EXPECT_FALSE(server.s.source.writable);
  EXPECT_EQ(weir__stream_committed(&server.s), 100u);
  kernel.room = 50;
  server.s.source.writable = 1;
  EXPECT_EQ(give(more), -EAGAIN) << "still not whole";
  EXPECT_EQ(weir__stream_committed(&server.s), 100u);
  kernel.room = 1000;
  server.s.source.writable = 1;
  EXPECT_EQ(give(more), 102);
  EXPECT_EQ(weir__stream_committed(&server.s), 0u);
  client->got(kernel.out);
  EXPECT_EQ(client->read(), more) << "nothing twice";
}

TEST_F(tls_stream, reports_as_much_as_it_is_given)
{
  begin();
  carry();
  kernel.room = 50;
  EXPECT_EQ(give(std::string(100, 'a')), -EAGAIN);
  kernel.room = SIZE_MAX;
  writable();
  EXPECT_EQ(server.tls.out, nullptr);
  EXPECT_EQ(weir__stream_committed(&server.s), 100u) << "has left, but was not reported";
  EXPECT_EQ(give(std::string(30, 'a')), 30);
  EXPECT_EQ(weir__stream_committed(&server.s), 70u);
  EXPECT_EQ(give({std::string(60, 'a'), std::string(10, 'a'), "end"}), 73);
  client->got(kernel.out);
  EXPECT_EQ(client->read(), std::string(100, 'a') + "end");
}

TEST_F(tls_stream, reports_whole_records)
{
  begin();
  carry();
  std::string text = noise(3 * WEIR__TLS_RECORD);
  kernel.room = WEIR__TLS_RECORD + 100;
  EXPECT_EQ(give(text), WEIR__TLS_RECORD);
  EXPECT_EQ(weir__stream_committed(&server.s), size_t{WEIR__TLS_RECORD}) << "one at a time";
  kernel.room = SIZE_MAX;
  server.s.source.writable = 1;
  EXPECT_EQ(give(text.substr(WEIR__TLS_RECORD)), 2 * WEIR__TLS_RECORD);
  client->got(kernel.out);
  EXPECT_EQ(client->read(), text);
}

TEST_F(tls_stream, ends_behind_what_waits)
{
  begin();
  carry();
  kernel.room = 20;
  EXPECT_EQ(give("the last words"), -EAGAIN);
  EXPECT_EQ(server.s.ops->shutdown(&server.s, &fake.sys), 0);
  EXPECT_FALSE(kernel.out_ended);
  kernel.room = SIZE_MAX;
  writable();
  EXPECT_TRUE(kernel.out_ended);
  client->got(kernel.out);
  EXPECT_EQ(client->read(), "the last words");
  EXPECT_TRUE(client->closed());
}

TEST_F(tls_stream, says_that_it_ends_when_it_is_closed)
{
  begin();
  carry();
  end_of(server);
  client->got(kernel.out);
  client->read();
  EXPECT_TRUE(client->closed());
}

TEST_F(tls_stream, a_cut_is_the_end_too)
{
  begin();
  carry();
  client->write("half");
  kernel.in = client->take_output();
  kernel.in.pop_back();
  kernel.in_ended = true;
  server.s.source.exhaust = 1;
  EXPECT_EQ(receive(server), -EAGAIN);
  EXPECT_TRUE(server.s.source.readable);
  EXPECT_EQ(receive(server), 0);
  EXPECT_EQ(heard, "");
}

TEST_F(tls_stream, passes_on_what_tcp_says)
{
  begin();
  carry();
  kernel.error = -ECONNRESET;
  EXPECT_EQ(receive(server), -ECONNRESET);
  EXPECT_EQ(give("x"), -ECONNRESET);
  EXPECT_FALSE(server.tls.failed);
}

TEST_F(tls_stream, errors_of_others_on_the_thread_are_not_its_own)
{
  begin();
  carry();
  SSL_CTX *none = SSL_CTX_new(TLS_method());
  EXPECT_EQ(SSL_CTX_use_certificate_file(none, "/nowhere", SSL_FILETYPE_PEM), 0);
  SSL_CTX_free(none);
  client->write("hello");
  kernel.in = client->take_output();
  SSL_CTX *again = SSL_CTX_new(TLS_method());
  EXPECT_EQ(SSL_CTX_use_certificate_file(again, "/nowhere", SSL_FILETYPE_PEM), 0);
  SSL_CTX_free(again);
  EXPECT_EQ(receive(server), 5);
  EXPECT_FALSE(server.tls.failed);
  EXPECT_EQ(heard, "hello");
}

/* RFC 8446 section 4.6.3 */
TEST_F(tls_stream, answers_a_key_update)
{
  begin({.min_version = TLS1_3_VERSION});
  carry();
  for (int i = 0; i < 20; i++) {
    ASSERT_TRUE(client->update_keys(true));
    ASSERT_TRUE(client->write("new keys"));
    carry();
    EXPECT_EQ(give("mine too"), 8);
    carry();
    EXPECT_EQ(client->read(), "mine too");
  }
  EXPECT_EQ(heard.size(), 20 * 8u);
  EXPECT_FALSE(server.tls.failed);
}

/* Each is answered; a peer that has nothing but that said and reads nothing of it is up to no good.
 */
TEST_F(tls_stream, fails_a_peer_that_has_it_talk_and_does_not_read)
{
  begin({.min_version = TLS1_3_VERSION});
  carry();
  kernel.room = 0;
  size_t most = 0;
  for (int i = 0; i < 10000 && !server.tls.failed; i++) {
    ASSERT_TRUE(client->update_keys(true));
    kernel.in += client->take_output();
    receive(server);
    most = std::max<size_t>(most, server.tls.out_end - server.tls.out_at);
  }
  EXPECT_EQ(last, -EPROTO);
  EXPECT_EQ(reason(), "the client has TLS answer and does not read");
  EXPECT_LE(most, size_t{WEIR__TLS_PENDING});
  EXPECT_GT(most, size_t{WEIR__TLS_PENDING} / 2);
}

/* One read may hold thousands, each of which has keys derived: the loop would stand still. */
TEST_F(tls_stream, fails_a_peer_that_changes_its_keys_for_nothing)
{
  for (bool both : {false, true}) {
    begin({.min_version = TLS1_3_VERSION});
    carry();
    for (int i = 0; i < WEIR__TLS_UPDATES / 2; i++)
      ASSERT_TRUE(client->update_keys(both));
    client->write("still here");
    carry();
    EXPECT_EQ(std::exchange(heard, {}), "still here");
    EXPECT_FALSE(server.tls.failed);
    for (int i = 0; i < 4000; i++)
      ASSERT_TRUE(client->update_keys(both));
    client->write("and gone");
    kernel.in = client->take_output();
    receive(server);
    EXPECT_EQ(last, -EPROTO);
    EXPECT_EQ(heard, "");
    EXPECT_EQ(reason(), "the client changes its keys too often");
    end_of(server);
    kernel = {};
  }
}

/* RFC 5246 section 7.2.2: no_renegotiation */
TEST_F(tls_stream, refuses_to_renegotiate)
{
  begin({.max_version = TLS1_2_VERSION, .allow_renegotiation = true});
  carry();
  client->renegotiate();
  carry();
  client->read();
  EXPECT_EQ(client->error(), "no renegotiation");
  EXPECT_EQ(SSL_num_renegotiations(server.tls.ssl), 0);
}

/* RFC 8446 section 5.5 */
TEST_F(tls_stream, changes_its_keys_in_time)
{
  begin({.min_version = TLS1_3_VERSION});
  carry();
  server.tls.records = WEIR__TLS_REKEY_RECORDS - 2;
  size_t before = kernel.sent;
  std::vector<size_t> sizes;
  for (const char *text : {"one", "two", "tre"}) {
    EXPECT_EQ(give(text), 3);
    sizes.push_back(kernel.sent - before);
    before = kernel.sent;
    carry();
    EXPECT_EQ(client->read(), text);
  }
  EXPECT_GT(sizes[1], sizes[0]) << "with a KeyUpdate in front";
  EXPECT_EQ(sizes[2], sizes[0]);
  EXPECT_EQ(server.tls.records, 1u);
}

TEST_F(tls_stream, without_memory)
{
  make_tls();
  weir__tls_context *context = weir__tls_take(tls);
  fake.fail_at = fake.allocations + 1;
  EXPECT_EQ(weir__tls_init(&server.s, loop, context), -ENOMEM);
  weir__tls_context_unref(context);
  begin();
  carry();
  kernel.room = 0;
  fake.fail_at = fake.allocations + 1;
  EXPECT_EQ(give("nowhere to keep it"), -EPROTO);
  EXPECT_EQ(reason(), "no memory for TLS");
  EXPECT_EQ(receive(server), -EPROTO);
}

} // namespace
