// Memory that runs out in OpenSSL, at one allocation after the other of weir_tls_new, of a reload
// and of a session: nothing leaks, nothing is half made, and what was there stays. A program of its
// own, because OpenSSL takes its allocator only before anything else.
#include "tls_fixture.hpp"

#include <cerrno>
#include <cstdlib>

using namespace tls_test;

namespace
{

constexpr long step = 13;    // 1 takes ten times as long, and has found no more
thread_local long left = -1; // allocations until one fails; negative: none does

bool fails()
{
  return left >= 0 && left-- == 0;
}

void *failing_malloc(size_t size, const char *, int)
{
  return fails() ? nullptr : malloc(size);
}

void *failing_realloc(void *memory, size_t size, const char *, int)
{
  return fails() ? nullptr : realloc(memory, size);
}

void plain_free(void *memory, const char *, int)
{
  free(memory);
}

const bool installed = CRYPTO_set_mem_functions(failing_malloc, failing_realloc, plain_free) == 1;

/* Does it with the n-th allocation failing, for every step-th n until none failed. Returns the
 * last.
 */
template <class Do> long sweep(long step, Do once)
{
  for (long n = 0;; n += step) {
    left = n;
    int code = once();
    bool failed = left < 0;
    left = -1;
    ERR_clear_error();
    if (!failed) {
      EXPECT_EQ(code, 0);
      return n;
    }
    EXPECT_TRUE(code == 0 || code == -ENOMEM || code == -EBADMSG || code == -EIO)
        << code << " of " << n;
    if (testing::Test::HasFailure())
      return n;
  }
}

class TlsShortage : public TlsContext
{
protected:
  void SetUp() override
  {
    ASSERT_TRUE(installed);
    options.client_ca_file = made.ca.c_str();
    options.client_certificates = WEIR_TLS_CLIENTS_OPTIONAL;
    start(); // what OpenSSL makes once is made
    EXPECT_EQ(serial_for("localhost"), 1);
  }
};

TEST_F(TlsShortage, OfANewOne)
{
  EXPECT_GT(sweep(step,
                  [&] {
                    weir_tls *another = nullptr;
                    int code = weir_tls_new(&another, &options, nullptr);
                    EXPECT_EQ(another == nullptr, code != 0);
                    weir_tls_free(another);
                    return code;
                  }),
            1000);
}

/* Which it is that is current. OpenSSL takes a cipher that it finds no memory for as one that is
 * not there, and goes on: what such a generation can do is not looked at. */
TEST_F(TlsShortage, OfAReload)
{
  EXPECT_GT(sweep(step,
                  [&] {
                    weir__tls_context *before = weir__tls_take(tls);
                    int code = weir_tls_reload(tls, nullptr);
                    weir__tls_context *after = weir__tls_take(tls);
                    EXPECT_EQ(before == after, code != 0);
                    weir__tls_context_unref(before);
                    weir__tls_context_unref(after);
                    return code;
                  }),
            1000);
  reload();
  EXPECT_EQ(serial_for("localhost"), 1);
}

TEST_F(TlsShortage, OfASession)
{
  EXPECT_GT(sweep(1,
                  [&] {
                    weir__tls_context *context = weir__tls_take(tls);
                    SSL *ssl = weir__tls_context_ssl(context);
                    SSL_free(ssl);
                    weir__tls_context_unref(context);
                    return ssl == nullptr ? -ENOMEM : 0;
                  }),
            5);
}

} // namespace
