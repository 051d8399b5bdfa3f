// What crosses threads: posts, interrupts, and who steps a loop. ThreadSanitizer runs this too.
#include "loop_fixture.hpp"

#include <atomic>
#include <cerrno>
#include <thread>

namespace
{

constexpr int THREADS = 4, POSTS = 5000;

class loop_thread : public loop_fixture
{
protected:
  // Written by the loop's thread alone, through posts.
  std::vector<int> next = std::vector<int>(THREADS, 0);
  int out_of_order = 0, runs = 0;

  struct note {
    loop_thread *test;
    int thread, number;
  };

  static void run(void *arg)
  {
    std::unique_ptr<note> n(static_cast<note *>(arg));
    int &expected = n->test->next[static_cast<size_t>(n->thread)];
    n->test->out_of_order += n->number != expected++;
    n->test->runs++;
  }

  std::vector<std::thread> start_posting()
  {
    std::vector<std::thread> threads;
    for (int t = 0; t < THREADS; t++)
      threads.emplace_back([this, t] {
        for (int i = 0; i < POSTS; i++)
          EXPECT_EQ(weir_loop_post(loop, run, new note{this, t, i}), 0);
      });
    return threads;
  }
};

TEST_F(loop_thread, runs_every_post_once_and_in_order)
{
  std::vector<std::thread> threads = start_posting();
  while (runs < THREADS * POSTS)
    ASSERT_GE(weir_loop_step(loop, 10000), 0);
  for (auto &thread : threads)
    thread.join();
  weir_loop_step(loop, 0);
  EXPECT_EQ(runs, THREADS * POSTS);
  EXPECT_EQ(out_of_order, 0);
}

// Without memory of the loop's, among posts that have some; what runs may free the node.
TEST_F(loop_thread, runs_posts_of_their_owners)
{
  struct owned {
    weir__post post;
    note what;
  };
  size_t before = fake.allocations;
  std::vector<std::thread> threads;
  for (int t = 0; t < THREADS; t++)
    threads.emplace_back([this, t] {
      for (int i = 0; i < POSTS; i++) {
        auto *mine = new owned{{}, {this, t, i}};
        weir__loop_post(
            loop, &mine->post,
            [](void *arg) {
              auto *theirs = static_cast<owned *>(arg);
              run(new note(theirs->what));
              delete theirs;
            },
            mine);
      }
    });
  while (runs < THREADS * POSTS)
    ASSERT_GE(weir_loop_step(loop, 10000), 0);
  for (auto &thread : threads)
    thread.join();
  EXPECT_EQ(out_of_order, 0);
  EXPECT_EQ(fake.allocations, before);
}

TEST_F(loop_thread, runs_the_posts_that_are_left_when_it_is_freed)
{
  std::vector<std::thread> threads = start_posting();
  weir_loop_step(loop, 0);
  for (auto &thread : threads)
    thread.join();
  int nested = 0;
  post([&] {
    nested = weir_loop_step(loop, 0);
    post([&] { runs++; });
  });
  weir_loop_free(loop);
  loop = nullptr;
  EXPECT_EQ(runs, THREADS * POSTS + 1);
  EXPECT_EQ(out_of_order, 0);
  EXPECT_EQ(nested, -EBUSY);
  EXPECT_EQ(fake.live, 0u);
}

TEST_F(loop_thread, wakes_once_for_many_posts)
{
  static std::atomic<int> woken;
  woken = 0;
  fake.sys.eventfd_add = [](const weir__sys *, int fd) {
    woken++;
    return weir__sys_linux.eventfd_add(&weir__sys_linux, fd);
  };
  for (int i = 0; i < 100; i++)
    post([&] { runs++; });
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(weir_loop_step(loop, -1), 100);
}

TEST_F(loop_thread, wakes_for_an_interrupt_from_elsewhere)
{
  static std::atomic<int> raised;
  raised = 0;
  weir__interrupt interrupt{{}, [](weir__interrupt *) { raised++; }, 0};
  weir__loop_add_interrupt(loop, &interrupt);
  std::thread other([&] {
    for (int i = 0; i < 1000; i++)
      weir__loop_interrupt(loop, &interrupt);
  });
  while (raised == 0)
    ASSERT_GE(weir_loop_step(loop, 10000), 0);
  other.join();
  weir_loop_step(loop, 0);
  EXPECT_LE(raised, 1000);
}

TEST_F(loop_thread, belongs_to_who_steps_it)
{
  auto elsewhere = [this] {
    bool here = false;
    std::thread([&] { here = weir__loop_is_here(loop); }).join();
    return here;
  };
  EXPECT_TRUE(weir__loop_is_here(loop));
  EXPECT_TRUE(elsewhere()); // nobody steps it yet
  weir_loop_step(loop, 0);
  EXPECT_TRUE(weir__loop_is_here(loop));
  EXPECT_FALSE(elsewhere());
  std::thread([&] { weir_loop_step(loop, 0); }).join();
  EXPECT_FALSE(weir__loop_is_here(loop));
  weir__loop_own(loop, weir__sys_thread());
  EXPECT_TRUE(weir__loop_is_here(loop));
  weir_loop_step(loop, 0);
}

} // namespace
