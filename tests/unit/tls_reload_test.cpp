// Sessions that resume, and reloads: between handshakes, inside them and beside them.
#include "tls_fixture.hpp"

#include <atomic>
#include <cerrno>
#include <functional>
#include <thread>

using namespace tls_test;

namespace
{

class TlsResumption : public TlsContext, public testing::WithParamInterface<int>
{
protected:
  tls_peer_options wanted;

  void SetUp() override
  {
    wanted.min_version = wanted.max_version = GetParam();
    wanted.server_name = "localhost";
  }

  /* A first connection; then one that resumes it, after something happened between them. */
  weir_tls_info resume_after(const std::function<void()> &between)
  {
    session one(tls);
    tls_peer first(wanted);
    EXPECT_TRUE(talk(first, one)) << first.error();
    EXPECT_FALSE(one.info().resumed);
    between();
    wanted.session = first.session();
    EXPECT_NE(wanted.session, nullptr);
    session two(tls);
    tls_peer second(wanted);
    EXPECT_TRUE(talk(second, two)) << second.error();
    weir_tls_info info = two.info();
    EXPECT_EQ(info.resumed, SSL_session_reused(second.ssl()) == 1);
    EXPECT_EQ(text(info.server_name), "localhost");
    info.server_name = {};
    return info;
  }
};

TEST_P(TlsResumption, ByATicket)
{
  start();
  EXPECT_TRUE(resume_after([] {}).resumed);
}

TEST_P(TlsResumption, OverReloads)
{
  start();
  EXPECT_TRUE(resume_after([&] {
                replace(2);
                reload();
                replace(3);
                reload();
                EXPECT_EQ(serial_for("localhost"), 3);
              }).resumed);
}

TEST_P(TlsResumption, OfANameThatIsNotTheDefault)
{
  replace(5);
  add(named(2, "", {"localhost", "other"}));
  issued dflt = made.authority.issue(named(1, "", {"default.example"}));
  made.files.write("cert.pem", dflt.certificate);
  made.files.write("key.pem", dflt.key);
  start();
  EXPECT_EQ(serial_for("localhost"), 2);
  EXPECT_TRUE(resume_after([] {}).resumed);
}

TEST_P(TlsResumption, WithAClientsCertificate)
{
  options.client_ca_file = made.ca.c_str();
  wanted.certificate_file = file(made.authority.issue(named(77, "a client", {})));
  start();
  weir_tls_info info = resume_after([&] { reload(); });
  EXPECT_TRUE(info.resumed);
  EXPECT_TRUE(info.peer_verified);
}

TEST_P(TlsResumption, NotWhereTheAuthoritiesAreOthersNow)
{
  options.client_ca_file = made.ca.c_str();
  wanted.certificate_file = file(made.authority.issue(named(77, "a client", {})));
  start();
  authority further("a further authority");
  EXPECT_FALSE(resume_after([&] {
                 made.files.write("ca.pem", further.certificate() + made.authority.certificate());
                 reload();
               }).resumed);
}

TEST_P(TlsResumption, NotWithAnotherServersTicket)
{
  start();
  weir_tls *mine = tls;
  EXPECT_FALSE(resume_after([&] { start(); }).resumed);
  weir_tls_free(mine);
}

INSTANTIATE_TEST_SUITE_P(, TlsResumption, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](auto &info) {
                           return info.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
                         });

TEST_F(TlsContext, OneTicketForEachHandshake)
{
  start();
  session server(tls);
  EXPECT_EQ(SSL_get_num_tickets(server.ssl()), 1u);
}

TEST_F(TlsContext, AWrongFileChangesNothing)
{
  start();
  made.files.write("key.pem", "");
  EXPECT_EQ(weir_tls_reload(tls, nullptr), -EBADMSG);
  EXPECT_EQ(serial_for("localhost"), 1);
  replace(2);
  reload();
  EXPECT_EQ(serial_for("localhost"), 2);
}

TEST_F(TlsContext, AHandshakeEndsWithTheGenerationThatItBeganWith)
{
  const char *alpn[] = {"water", nullptr};
  options.alpn = alpn;
  start();
  tls_peer_options wanted;
  wanted.server_name = "localhost";
  wanted.alpn = {"water"};
  session server(tls);
  tls_peer client(wanted);
  replace(2);
  reload();
  weir_tls_free(tls); // and without what it came from
  tls = nullptr;
  ASSERT_TRUE(talk(client, server)) << client.error();
  EXPECT_EQ(serial_of(SSL_get0_peer_certificate(client.ssl())), 1);
  EXPECT_EQ(text(server.info().alpn), "water");
}

TEST_F(TlsContext, ReloadsBesideHandshakes)
{
  add(named(1, "", {"more.example"}));
  start();
  std::atomic<bool> over{false};
  std::atomic<int> reloads{0};
  std::thread reloader([&] {
    for (long serial = 2; !over; serial++) {
      replace(serial);
      EXPECT_EQ(weir_tls_reload(tls, nullptr), 0);
      reloads++;
    }
  });
  auto handshakes = [&] {
    long last = 0;
    for (int i = 0; i < 50 || (i < 5000 && reloads < 10); i++) {
      EXPECT_EQ(serial_for("more.example"), 1);
      long serial = serial_for("localhost");
      EXPECT_GE(serial, last); // never an earlier one again
      last = serial;
    }
    EXPECT_GT(last, 1);
  };
  std::thread other(handshakes);
  handshakes();
  other.join();
  over = true;
  reloader.join();
}

} // namespace
